# ruff: noqa: RUF001  it is about letters that look alike
"""Who speaks, by their words."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amd.signals import Text, TextCue
from amd.text import TextDetector, fingerprint, warm
from amd.text.hints import hints_of, languages, parsed
from amd.text.languages import expected, primary
from amd.text.normal import Growing, normalised, word_count
from amd.text.repeats import is_repeat
from dialer.evaluation.texts import Labelled, by_words, errors, judged, read, summary

DATA = Path(__file__).parents[1] / "data" / "amd_texts.csv"
REQUIRED = [
    "en",
    "es",
    "fr",
    "de",
    "it",
    "pt",
    "nl",
    "pl",
    "ru",
    "tr",
    "sv",
    "da",
    "nb",
    "fi",
    "ja",
    "zh",
    "ko",
    "hi",
    "ar",
    "uk",
    "cs",
    "el",
    "he",
]
GREETING = "hi this is tom and i am out fishing on the lake until sunday evening bye"


def hear(text: str, language: str | None = "en", *, final: bool = True) -> Text | None:
    return TextDetector(language).hear(text, 1_000, final=final)


def cue(text: str, language: str | None = "en", *, final: bool = True) -> TextCue | None:
    found = hear(text, language, final=final)
    return None if found is None else found.cue


def test_our_own_texts_lose_nobody_and_find_most_machines() -> None:
    found = list(judged(read(DATA)))
    figures = summary(found)

    assert figures["human"] >= 150
    assert figures["machine"] >= 150
    assert [each["text"] for each in errors(found) if each["label"] == "human"] == []
    assert figures["recall"]["rate"] >= 0.95


def test_there_are_hints_for_every_language_promised() -> None:
    assert set(REQUIRED) <= languages()
    for language in languages():
        assert hints_of(language).by_key


@pytest.mark.parametrize("language", [*REQUIRED, None, "xx", "en-US"])
def test_nobody_is_a_machine_by_length_alone(language: str | None) -> None:
    detector = TextDetector(language)
    words = "blue house garden seven river walking quiet letter morning window " * 30

    heard = [detector.hear(words[:at], at, final=False) for at in range(0, len(words), 11)]

    assert [each for each in heard if each is not None] == []


@pytest.mark.parametrize(
    ("text", "expected_cue"),
    [
        ("Please leave a message after the tone.", TextCue.VOICEMAIL),
        ("For sales, press 1.", TextCue.IVR),
        ("The number you have dialed is not in service", TextCue.UNAVAILABLE),
        ("Please state your name and reason for calling", TextCue.SCREENING),
        ("Who's calling, please?", TextCue.LIVE),
        ("hello", TextCue.BRIEF),
        ("", None),
    ],
)
def test_every_cue_has_its_words(text: str, expected_cue: TextCue | None) -> None:
    assert cue(text) is expected_cue


def test_a_living_persons_word_silences_what_machines_say() -> None:
    said = "who is calling please leave a message after the tone"

    assert cue(said) is TextCue.LIVE


def test_somebody_may_take_over_from_a_machine() -> None:
    detector = TextDetector("en")

    first = detector.hear("please leave a message after the tone", 3_000, final=False)
    later = detector.hear(
        "please leave a message after the tone hello sorry who is this", 6_000, final=False
    )

    assert first is not None
    assert later is not None
    assert (first.cue, later.cue) == (TextCue.VOICEMAIL, TextCue.LIVE)


def test_somebody_may_take_over_from_an_assistant_but_its_own_question_is_no_person() -> None:
    detector = TextDetector("en")
    prompt = "the person you're calling is using a screening service can i ask who is calling"

    assert detector.hear(prompt, 4_000, final=True) is not None
    later = detector.hear(f"{prompt} {'one moment ' * 12} hello who is this", 9_000, final=True)

    assert later is not None
    assert later.cue is TextCue.LIVE


ASKED = {
    "en": "hi the person you're calling is using a screening service please say your name and why",
    "de": "sagen sie bitte ihren namen und den grund ihres anrufs",
    "fr": "dites votre nom et la raison de votre appel",
    "es": "digame su nombre y el motivo de su llamada",
    "it": "dica il suo nome e il motivo della chiamata",
    "pt": "diga seu nome e o motivo da ligação",
    "nl": "zeg uw naam en de reden van uw gesprek",
}


def heard_after(language: str, *utterances: str) -> list[TextCue]:
    """What is told of an assistant's question and each utterance after it, word by word."""
    detector, said, at_ms, cues = TextDetector(language), "", 0, []
    for utterance in (ASKED[language], *utterances):
        words = utterance.split()
        at_ms += 5_000
        for count, word in enumerate(words, 1):
            said = f"{said} {word}".strip()
            heard = detector.hear(said, at_ms, final=count == len(words))
            if heard is not None:
                cues.append(heard.cue)
    return cues[cues.index(TextCue.SCREENING) :]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Thanks, one moment while I check."),
        ("en", "Connecting you."),
        ("en", "Please stay on the line."),
        ("en", "Sorry, I didn't catch that."),
        ("en", "Are you still there?"),
        ("en", "Okay, I'll let them know."),
        ("en", "Can you tell me more about why you're calling?"),
        ("en", "The person you're calling is reviewing your request."),
        ("de", "Danke, einen Moment bitte."),
        ("de", "Sind Sie noch da?"),
        ("fr", "Merci, un instant s'il vous plaît."),
        ("fr", "Êtes-vous toujours là ?"),
        ("es", "Gracias, un momento por favor."),
        ("it", "È ancora in linea?"),
        ("pt", "Aguarde na linha."),
        ("nl", "Bent u er nog?"),
    ],
)
def test_what_an_assistant_says_after_its_question_is_no_person(language: str, words: str) -> None:
    assert heard_after(language, words) == [TextCue.SCREENING]


@pytest.mark.parametrize(
    ("language", "words", "told"),
    [
        ("en", "Hello?", TextCue.BRIEF),
        ("en", "Yes, who's this?", TextCue.LIVE),
        ("en", "Hi, this is Tom.", TextCue.BRIEF),
        ("en", "Hi, yes, what's it about?", TextCue.LIVE),
        ("de", "Ja, Müller hier.", TextCue.BRIEF),
        ("fr", "Oui, c'est qui ?", TextCue.LIVE),
        ("es", "¿Diga?", TextCue.BRIEF),
        ("it", "Chi parla?", TextCue.LIVE),
        ("pt", "Alô?", TextCue.BRIEF),
        ("nl", "Hallo?", TextCue.BRIEF),
    ],
)
def test_a_person_whom_the_assistant_has_put_through_is_told(
    language: str, words: str, told: TextCue
) -> None:
    assert heard_after(language, words)[-1] is told
    assert heard_after(language, "ok", words)[-1] is told


def test_an_assistant_that_asks_again_is_told_again() -> None:
    again = "Are you still there? Please say your name and the reason for your call."

    assert heard_after("en", "Please stay on the line.", again) == [TextCue.SCREENING] * 2
    assert heard_after("en", again, "Hello?")[-1] is TextCue.BRIEF


def test_a_question_in_several_utterances_is_one() -> None:
    detector = TextDetector("en")
    first = "this call is being screened"
    rest = "can i ask who is calling"

    assert detector.hear(first, 2_000, final=True) is not None
    assert detector.hear(f"{first} {rest}", 4_000, final=True) is None


def test_what_is_revised_after_an_assistants_question_is_judged_anew() -> None:
    detector = TextDetector("en")
    asked = ASKED["en"]
    detector.hear(asked, 2_000, final=True)
    detector.hear(f"{asked} connecting", 9_000, final=False)

    heard = detector.hear(f"{asked} hello yes", 9_500, final=True)
    revised = detector.hear("hello please say your name and why", 12_000, final=False)

    assert heard is not None
    assert heard.cue is TextCue.BRIEF
    assert revised is not None
    assert revised.cue is TextCue.SCREENING


@pytest.mark.parametrize(
    "said",
    [
        "the subscriber you have called is unable to take your call leave your name after the tone",
        "all of our agents are busy please leave a message after the tone",
    ],
)
def test_words_that_ask_for_a_message_are_worth_more_than_a_notice(said: str) -> None:
    detector = TextDetector("en")
    words = said.split()
    heard = [
        detector.hear(" ".join(words[:count]), count, final=False)
        for count in range(1, len(words) + 1)
    ]

    told = [each.cue for each in heard if each is not None]
    assert told[0] in {TextCue.UNAVAILABLE, TextCue.IVR}
    assert told[1:] == [TextCue.VOICEMAIL]
    assert cue(said) is TextCue.VOICEMAIL


def test_a_menu_that_offers_a_voicemail_stays_a_menu_until_it_asks() -> None:
    assert cue("press two to leave a message") is TextCue.IVR


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("fr", "je vous rappelle dès que je peux"),
        ("fr", "votre correspondant est indisponible rappelez plus tard"),
        ("de", "rufen sie bitte später noch einmal an"),
        ("ru", "я перезвоню вам"),
        ("es", "te has comunicado con el contestador de luis"),
        ("ja", "後ほど折り返しお電話いたします"),
        ("ko", "나중에 연락드리겠습니다"),
        ("en", "i'll call you back as soon as i can"),
    ],
)
def test_a_promise_that_greetings_make_too_is_no_persons(language: str, said: str) -> None:
    assert cue(said, language, final=False) is not TextCue.LIVE


def test_hints_are_read_before_they_are_needed() -> None:
    hints_of.cache_clear()

    warm("fr", country="CH")

    assert hints_of.cache_info().currsize == 4  # French, German, Italian and English


def test_a_cue_is_told_once() -> None:
    detector = TextDetector("en")

    assert detector.hear("leave a message after the tone", 1_000, final=False) is not None
    assert detector.hear("leave a message after the tone please", 1_500, final=False) is None


def test_a_revised_partial_takes_its_hint_back() -> None:
    detector = TextDetector("en")
    detector.hear("you have reached", 1_000, final=False)
    detector.hear("have you breached", 1_500, final=False)

    assert detector.hear("have you breached have a nice day", 2_000, final=False) is None


def test_a_partial_is_never_brief() -> None:
    assert hear("hello", final=False) is None


def test_hints_of_another_language_count_when_they_are_spoken_there() -> None:
    greeting = "hinterlassen sie eine nachricht nach dem signalton"

    assert cue(greeting, "fr", final=False) is None
    found = TextDetector("fr", country="CH").hear(greeting, 1, final=False)
    assert found is not None
    assert found.cue is TextCue.VOICEMAIL


def test_an_unknown_language_takes_sure_hints_of_all_with_less_confidence() -> None:
    known, unknown = (
        hear("оставьте сообщение после сигнала", "ru"),
        hear("оставьте сообщение после сигнала", None),
    )

    assert known is not None
    assert unknown is not None
    assert unknown.cue is TextCue.VOICEMAIL
    assert unknown.confidence < known.confidence
    assert cue("you have reached ann have a nice day", "en") is TextCue.VOICEMAIL
    assert cue("you have reached ann have a nice day", None, final=False) is None


def test_the_cause_never_holds_the_callees_words() -> None:
    found = hear("you have reached the voicemail of Rumpelstiltskin")

    assert found is not None
    assert found.cue is TextCue.VOICEMAIL
    assert "umpel" not in found.cause


def test_the_words_of_an_earlier_call_are_a_machine() -> None:
    detector = TextDetector("en", [fingerprint(GREETING)])
    heard = detector.hear(GREETING.replace("fishing", "fission"), 4_000, final=True)

    assert heard is not None
    assert heard.cue is TextCue.REPEAT


def test_few_words_and_a_persons_own_phrase_never_count_as_repeated() -> None:
    office = "good morning acme plumbing this is karen how can i help you"

    assert fingerprint("hello hello hello") == ""
    assert TextDetector("en", [fingerprint("hello?")]).hear("hello?", 1, final=True) == Text(
        1, TextCue.BRIEF, 0.7, "1 words and a pause"
    )
    found = TextDetector("en", [fingerprint(office)]).hear(office, 1, final=True)
    assert found is not None
    assert found.cue is TextCue.LIVE


def test_a_fingerprint_does_not_hold_the_words() -> None:
    assert not set(GREETING.split()) & set(fingerprint(GREETING).split())


@given(st.permutations(GREETING.split()[:12]))
def test_a_recording_is_known_whatever_its_order(words: list[str]) -> None:
    text = " ".join(GREETING.split()[:12])

    assert is_repeat(" ".join(words), [fingerprint(text)])


def test_repeats_work_without_spaces() -> None:
    text = "我今天出去钓鱼了星期天才回来再见"

    assert is_repeat(text, [fingerprint(text)])
    assert not is_repeat("你好我是小王今天天气很好我们走吧", [fingerprint(text)])


@given(st.text(max_size=300))
def test_words_are_normal_once_and_for_all(text: str) -> None:
    words = normalised(text)

    assert normalised(words) == words


@given(st.lists(st.text(st.sampled_from(" abÉß'#_-ÍΣ?が\u0301"), max_size=12), max_size=8))
def test_what_grows_has_the_same_words_as_what_was_said_at_once(parts: list[str]) -> None:
    growing, said = Growing(), ""

    for part in parts:
        said += part
        assert growing.words(said) == normalised(said)
    assert growing.words("Quite another") == "quite another"


@given(st.text(max_size=200), st.sampled_from([*REQUIRED, None]))
def test_whatever_is_said_is_judged(text: str, language: str | None) -> None:
    heard = TextDetector(language).hear(text, 5, final=True)

    assert heard is None or 0 < heard.confidence < 1


def test_recognisers_may_differ_in_what_is_no_word() -> None:
    assert normalised("Can't  you—leave, a MESSAGE?!") == "cant you leave a message"
    assert normalised("L’été, ça va") == "l ete ca va"
    assert normalised("İZMİR ısı straße") == "izmir isi strasse"
    assert normalised("संदेश छोड़ें") == normalised("संदेश, छोड़ें")
    assert normalised("press #") == "press hash"
    assert word_count("hello there") == 2
    assert word_count("もしもし") == 2


def test_a_language_is_known_by_its_tag_and_its_country() -> None:
    known = languages()

    assert primary("pt-BR") == "pt"
    assert primary("no") == "nb"
    assert primary(None) is None
    assert expected("es-MX", "MX", known) == (["es", "en"], True)
    assert expected(None, "CH", known) == (["de", "fr", "it", "en"], True)
    assert expected("xx", None, known)[1] is False


@pytest.mark.parametrize(
    "text",
    ['live = ["<nobody> is this"]', 'live = ["who (is"]', 'live = ["(who is"]'],
)
def test_a_hint_that_cannot_be_used_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"who|nobody"):
        parsed("en", text)


def test_our_texts_are_different_ones() -> None:
    with DATA.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]

    assert len(set(texts)) >= len(texts) - 2


def test_letters_are_fed_where_words_have_no_spaces() -> None:
    decided, letters = by_words(Labelled(2, "machine", "", "zh", "请在提示音后留言谢谢"))

    assert decided is not None
    assert letters < 10
