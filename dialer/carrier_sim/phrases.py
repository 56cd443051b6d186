"""What callees say: sentences by language, made up for the simulator. Pure data.

Each language has the same parts, so that a scene is put together alike in all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

Texts: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Phrases:
    """The sentences of one language."""

    hello: Texts  # a person's first words
    asking: Texts  # first words that ask who calls, or offer to take a message
    still: Texts  # when nobody says anything
    talk: Texts  # turns of a conversation
    mailbox: Texts  # how a voicemail greeting begins
    more: Texts  # what may follow
    leave: Texts  # how it ends: it asks for a message
    menu: Texts  # a business's machine
    announcement: Texts  # the network speaks
    screening: Texts  # an assistant asks who is calling
    screening_again: Texts
    thanks: Texts  # what it says when it knows
    nobody: Texts  # and when no person comes


ENGLISH: Final = Phrases(
    hello=(
        "Hello?",
        "Yeah, hello?",
        "Hi.",
        "Yes?",
        "Good afternoon.",
        "Hello, Margaret here.",
        "This is Theo.",
        "Green residence, hello.",
        "Lakeside Dental, Priya speaking, how can I help you today?",
        "Good morning, Harlow and Finch, you are through to Ben, what can I do for you?",
    ),
    asking=(
        "Hello, who's this?",
        "Yes, and who am I speaking to?",
        "Sorry, who is it you are calling for?",
        "No, Thomas has just stepped out, should I tell him who rang?",
        "He's in a meeting right now, is there something I can pass on?",
        "She is not available this morning, I can write down your name if you like.",
    ),
    still=("Hello?", "Is anybody there?", "Hello, did the line drop?"),
    talk=(
        "Okay.",
        "Right, go on.",
        "Yes, that's me.",
        "I see, and what is it about?",
        "Could you say that once more?",
        "Mm hm.",
        "Let me think about it.",
        "That sounds fine to me.",
        "Wednesday would be better, I suppose.",
        "No, not really.",
        "Well, thank you for letting me know.",
    ),
    mailbox=(
        "Hey, you have reached Carla's phone.",
        "Hi, this is the mailbox of Dominic Reyes.",
        "You've got through to Sam, but I can't pick up just now.",
        "The subscriber you have called is unable to take your call.",
        "Your call is being answered by a voice mailbox.",
        "Thanks for phoning the Whitmore family, none of us can get to the phone.",
    ),
    more=(
        "I am either on the other line or out with the dog.",
        "I check this mailbox every evening.",
        "If it is urgent, please write me a text instead.",
        "Our office is staffed from nine to five on weekdays.",
        "I will be back at my desk next Monday.",
        "Sorry that we have missed each other.",
        "Don't forget to mention what it is about.",
    ),
    leave=(
        "Please leave me a message after the beep and I will call you back.",
        "Leave your name, your number and a short message after the tone.",
        "Just record your message once you hear the beep.",
        "At the tone, please record a message, and hang up when you have finished.",
    ),
    menu=(
        "Thank you for calling Northgate Utilities.",
        "For questions about a bill, press one.",
        "To report a fault on your line, press two.",
        "For opening hours and directions, press three.",
        "To hear these options again, press the star key.",
        "If you know the extension of your party, you may dial it at any time.",
        "This call may be recorded for training purposes.",
    ),
    announcement=(
        "We are sorry, the number you have dialed is not in service.",
        "The customer you are trying to reach has switched off the phone.",
        "Your call cannot be completed as dialed, please check the number and dial again.",
    ),
    screening=(
        (
            "Hi, this person is using an assistant to screen calls. Please say your name and why"
            " you are calling."
        ),
        (
            "Before I put you through, tell me who is calling and what this is about, and I will"
            " see if they are available."
        ),
        (
            "Hello, I am the call assistant of this number. Record your name and the reason for"
            " your call after this."
        ),
    ),
    screening_again=("Are you still there? Please say your name and the reason for your call.",),
    thanks=("Thank you, please stay on the line.", "Thanks, one moment while I check."),
    nobody=("Sorry, nobody is free to take your call. Goodbye.",),
)

GERMAN: Final = Phrases(
    hello=(
        "Hallo?",
        "Ja, hallo, wer da?",
        "Krause.",
        "Grüß Gott, hier ist Lindner.",
        "Autohaus Behrens, mein Name ist Jana Wolf, was kann ich für Sie tun?",
    ),
    asking=(
        "Ja, wer ist denn da?",
        "Mit wem spreche ich bitte?",
        "Der ist gerade nicht im Haus, soll ich ihm etwas ausrichten?",
    ),
    still=("Hallo?", "Ist da jemand?"),
    talk=(
        "Ja, genau.",
        "Aha, und worum geht es?",
        "Das passt mir gut.",
        "Moment, ich hole kurz etwas zu schreiben.",
        "Nein, eher nicht.",
        "Gut, vielen Dank.",
    ),
    mailbox=(
        "Hallo, hier ist die Mailbox von Katrin Vogel.",
        "Guten Tag, Sie haben den Anschluss der Familie Brandt erreicht.",
        "Der gewünschte Gesprächspartner ist zurzeit nicht zu erreichen.",
    ),
    more=(
        "Leider kann ich gerade nicht ans Telefon gehen.",
        "Wir sind ab Montag wieder für Sie da.",
        "In dringenden Fällen schicken Sie mir eine Nachricht auf das Handy.",
        "Wahrscheinlich bin ich im Garten und höre das Klingeln nicht.",
    ),
    leave=(
        "Bitte hinterlassen Sie nach dem Signalton eine Nachricht, ich rufe zurück.",
        "Sprechen Sie Ihren Namen und Ihre Nummer bitte nach dem Piepton auf Band.",
    ),
    menu=(
        "Willkommen bei den Stadtwerken.",
        "Für Fragen zur Rechnung drücken Sie bitte die Eins.",
        "Um eine Störung zu melden, drücken Sie die Zwei.",
        "Alle unsere Mitarbeiter sind im Gespräch, bitte haben Sie etwas Geduld.",
    ),
    announcement=(
        "Diese Rufnummer ist uns nicht bekannt, bitte prüfen Sie die Vorwahl.",
        "Der Teilnehmer, den Sie anrufen, hat sein Telefon ausgeschaltet.",
    ),
    screening=(
        (
            "Hallo, diese Person lässt Anrufe von einem Assistenten prüfen. Bitte nennen Sie"
            " Ihren Namen und den Grund Ihres Anrufs."
        ),
    ),
    screening_again=("Sind Sie noch da? Bitte nennen Sie Namen und Grund Ihres Anrufs.",),
    thanks=("Danke, bitte bleiben Sie in der Leitung.",),
    nobody=("Leider ist gerade niemand erreichbar. Auf Wiederhören.",),
)

FRENCH: Final = Phrases(
    hello=(
        "Allô ?",
        "Oui, bonjour.",
        "Allô oui, Hélène à l'appareil.",
        "Garage Moreau bonjour, que puis-je pour vous ?",
    ),
    asking=(
        "Oui, c'est qui ?",
        "C'est de la part de qui ?",
        "Il vient de sortir, vous voulez que je lui dise quelque chose ?",
    ),
    still=("Allô ?", "Vous m'entendez ?"),
    talk=(
        "D'accord.",
        "Oui, c'est bien moi.",
        "Et c'est à quel sujet ?",
        "Plutôt jeudi alors.",
        "Très bien, merci.",
    ),
    mailbox=(
        "Bonjour, vous êtes bien sur la messagerie de Camille Perrin.",
        "Le correspondant que vous demandez ne peut pas répondre.",
        "Salut, c'est Julien, je ne peux pas décrocher.",
    ),
    more=(
        "Je suis sans doute en réunion ou sur la route.",
        "Nos bureaux ouvrent à neuf heures du lundi au vendredi.",
        "Si c'est urgent, envoyez-moi plutôt un texto.",
        "Je vous rappelle dès que je peux.",
    ),
    leave=(
        "Merci de laisser votre message après le bip sonore.",
        "Laissez-moi votre nom et votre numéro après le signal.",
    ),
    menu=(
        "Bienvenue au service clients de la compagnie des eaux.",
        "Pour une question de facture, tapez un.",
        "Pour signaler une panne, tapez deux.",
        "Pour réécouter ce menu, appuyez sur étoile.",
    ),
    announcement=(
        "Ce numéro n'est plus en service, veuillez consulter l'annuaire.",
        "Votre correspondant n'est pas joignable pour le moment, veuillez rappeler plus tard.",
    ),
    screening=(
        (
            "Bonjour, un assistant filtre les appels de cette personne. Dites votre nom et la"
            " raison de votre appel."
        ),
    ),
    screening_again=("Vous êtes toujours là ? Dites votre nom et la raison de votre appel.",),
    thanks=("Merci, restez en ligne.",),
    nobody=("Désolé, personne ne peut prendre votre appel. Au revoir.",),
)

SPANISH: Final = Phrases(
    hello=(
        "¿Bueno?",
        "Sí, dígame usted.",
        "Hola, habla Lucía.",
        "Ferretería Ortega, buenas tardes, ¿en qué le puedo ayudar?",
    ),
    asking=(
        "¿Quién llama?",
        "¿De parte de quién?",
        "Mi padre ha salido un rato, ¿quiere que le diga algo?",
    ),
    still=("¿Hola?", "¿Hay alguien ahí?"),
    talk=(
        "Sí, soy yo.",
        "Ajá, ¿y de qué se trata?",
        "Mejor por la tarde.",
        "No, ahora no.",
        "Muy bien, gracias.",
    ),
    mailbox=(
        "Hola, este es el buzón de voz de Marcos Rivas.",
        "Has llamado a Elena, ahora no puedo atenderte.",
        "La persona a la que usted llama no puede contestar.",
    ),
    more=(
        "Seguramente estoy conduciendo o en clase.",
        "Nuestro horario es de lunes a viernes, de nueve a seis.",
        "Si es urgente, mándame un mensaje de texto.",
        "Te devuelvo la llamada en cuanto pueda.",
    ),
    leave=(
        "Por favor, deja tu mensaje después de la señal.",
        "Grabe su nombre y su número después del tono.",
    ),
    menu=(
        "Gracias por llamar a la compañía de gas.",
        "Para consultar su factura, marque uno.",
        "Para avisar de una avería, marque dos.",
        "Para volver a escuchar el menú, pulse asterisco.",
    ),
    announcement=(
        "El número que usted marcó no existe.",
        "El teléfono al que llama está apagado o fuera de cobertura.",
    ),
    screening=(
        (
            "Hola, un asistente filtra las llamadas de esta persona. Diga su nombre y el motivo"
            " de su llamada."
        ),
    ),
    screening_again=("¿Sigue ahí? Diga su nombre y el motivo de su llamada.",),
    thanks=("Gracias, espere en la línea.",),
    nobody=("Lo siento, nadie puede atenderle. Adiós.",),
)

ITALIAN: Final = Phrases(
    hello=(
        "Pronto?",
        "Sì, pronto?",
        "Pronto, sono Giulia.",
        "Officina Conti, buongiorno, mi dica.",
    ),
    asking=("Chi parla?", "Scusi, con chi parlo?", "Mio marito è fuori, vuole che gli riferisca?"),
    still=("Pronto?", "Mi sente?"),
    talk=(
        "Sì, certo.",
        "E di che si tratta?",
        "Va bene giovedì.",
        "No, grazie.",
        "Perfetto, grazie.",
    ),
    mailbox=(
        "Ciao, questa è la segreteria di Matteo.",
        "Risponde la segreteria telefonica dello studio Ferri.",
        "La persona che ha chiamato non può rispondere.",
    ),
    more=(
        "In questo momento sono fuori o sto guidando.",
        "L'ufficio è aperto dal lunedì al venerdì.",
        "Se è urgente, mandami un messaggio.",
        "Ti richiamo appena posso.",
    ),
    leave=(
        "Lascia un messaggio dopo il segnale acustico.",
        "Dica il suo nome e il suo numero dopo il bip.",
    ),
    menu=(
        "Benvenuti al servizio clienti dell'acquedotto.",
        "Per informazioni sulla bolletta, premere uno.",
        "Per segnalare un guasto, premere due.",
    ),
    announcement=(
        "Il numero da lei composto è inesistente.",
        "Il cliente chiamato ha il telefono spento, la preghiamo di riprovare più tardi.",
    ),
    screening=(
        (
            "Salve, un assistente filtra le chiamate di questa persona. Dica il suo nome e il"
            " motivo della chiamata."
        ),
    ),
    screening_again=("È ancora in linea? Dica il suo nome e il motivo della chiamata.",),
    thanks=("Grazie, resti in linea.",),
    nobody=("Mi dispiace, nessuno può rispondere. Arrivederci.",),
)

PORTUGUESE: Final = Phrases(
    hello=(
        "Alô?",
        "Oi, pois não?",
        "Aqui é a Renata.",
        "Padaria Lisboa, bom dia, em que posso ajudar?",
    ),
    asking=("Quem fala?", "Quem gostaria?", "Ele saiu agora, quer que eu dê algum recado?"),
    still=("Alô?", "Está me ouvindo?"),
    talk=(
        "Sou eu mesma.",
        "E qual é o assunto?",
        "Na quinta é melhor.",
        "Não, obrigado.",
        "Está bem.",
    ),
    mailbox=(
        "Oi, você ligou para o Rafael, agora não posso atender.",
        "Esta é a caixa postal de Beatriz Nunes.",
        "A pessoa para quem você ligou não pode atender.",
    ),
    more=(
        "Devo estar no trânsito ou em aula.",
        "Nosso horário é de segunda a sexta, das nove às seis.",
        "Se for urgente, mande uma mensagem de texto.",
        "Eu ligo de volta assim que puder.",
    ),
    leave=(
        "Deixe o seu recado após o sinal.",
        "Grave o seu nome e o seu telefone depois do bipe.",
    ),
    menu=(
        "Obrigado por ligar para a companhia de energia.",
        "Para segunda via da conta, digite um.",
        "Para informar falta de luz, digite dois.",
    ),
    announcement=(
        "O número chamado não existe, verifique e ligue novamente.",
        "O telefone chamado está desligado ou fora da área de cobertura.",
    ),
    screening=(
        (
            "Olá, um assistente filtra as chamadas desta pessoa. Diga o seu nome e o motivo da"
            " ligação."
        ),
    ),
    screening_again=("Ainda está aí? Diga o seu nome e o motivo da ligação.",),
    thanks=("Obrigado, aguarde na linha.",),
    nobody=("Desculpe, ninguém pode atender agora. Até logo.",),
)

DUTCH: Final = Phrases(
    hello=(
        "Hallo?",
        "Met Sanne.",
        "Ja, hallo?",
        "Fietsenmaker De Wit, goedemiddag, zegt u het maar.",
    ),
    asking=("Met wie spreek ik?", "Wie bent u dan?", "Hij is er even niet, kan ik iets doorgeven?"),
    still=("Hallo?", "Bent u er nog?"),
    talk=(
        "Ja hoor.",
        "En waar gaat het over?",
        "Donderdag kan wel.",
        "Nee, bedankt.",
        "Goed, dank u.",
    ),
    mailbox=(
        "Hoi, dit is de voicemail van Bram Visser.",
        "U bent verbonden met het antwoordapparaat van de familie Smit.",
        "De persoon die u belt kan nu niet opnemen.",
    ),
    more=(
        "Ik zit waarschijnlijk in de trein of in een vergadering.",
        "Ons kantoor is open van maandag tot en met vrijdag.",
        "Stuur bij haast liever een berichtje.",
        "Ik bel zo snel mogelijk terug.",
    ),
    leave=(
        "Laat een bericht achter na de piep.",
        "Spreek uw naam en uw nummer in na de toon.",
    ),
    menu=(
        "Welkom bij het waterbedrijf.",
        "Voor vragen over uw rekening, toets één.",
        "Om een storing te melden, toets twee.",
    ),
    announcement=(
        "Het nummer dat u heeft gekozen is niet in gebruik.",
        "De gebruiker die u belt is niet bereikbaar, probeer het later nog eens.",
    ),
    screening=(
        (
            "Hallo, een assistent beantwoordt de oproepen van deze persoon. Zeg uw naam en de"
            " reden van uw oproep."
        ),
    ),
    screening_again=("Bent u er nog? Zeg uw naam en de reden van uw oproep.",),
    thanks=("Dank u, blijf aan de lijn.",),
    nobody=("Helaas kan niemand opnemen. Tot ziens.",),
)

PHRASES: Final[Mapping[str, Phrases]] = MappingProxyType(
    {
        "en": ENGLISH,
        "de": GERMAN,
        "fr": FRENCH,
        "es": SPANISH,
        "it": ITALIAN,
        "pt": PORTUGUESE,
        "nl": DUTCH,
    }
)
#: The language spoken where a number is; longer prefixes come first. All others speak English.
LANGUAGE_OF_PREFIX: Final = (
    ("+351", "pt"),
    ("+31", "nl"),
    ("+33", "fr"),
    ("+34", "es"),
    ("+39", "it"),
    ("+41", "de"),
    ("+43", "de"),
    ("+49", "de"),
    ("+52", "es"),
    ("+54", "es"),
    ("+55", "pt"),
    ("+56", "es"),
    ("+57", "es"),
)


def language_of(phone: str) -> str:
    """The language a callee speaks, as far as the number tells."""
    spoken = (language for prefix, language in LANGUAGE_OF_PREFIX if phone.startswith(prefix))
    return next(spoken, "en")
