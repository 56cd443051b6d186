"""Which column of a list tells what, and what a row of it says.

Columns are recognised by their names, in several languages, or named by the operator. There are
lists of people, where every column that tells nothing of the engine's becomes a custom variable
under its own name, and lists of do-not-call entries, where such a column is passed over.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from enum import StrEnum
from functools import lru_cache
from itertools import chain, count
from operator import itemgetter
from typing import Final

from dialer.amounts import few
from dialer.errors import UsageError
from dialer.lists.export_columns import METRIC_COLUMNS, variable_of
from dialer.people.person import Fault, Person, Priority, RowFault
from dialer.phones import PhoneError, e164
from dialer.suggestions import close_matches, did_you_mean
from dialer.timezones import zone_names


class Field(StrEnum):
    """What a column may tell."""

    PHONE = "phone"
    NAME = "name"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    EMAIL = "email"
    TIMEZONE = "timezone"
    LANGUAGE = "language"
    PRIORITY = "priority"
    TAGS = "tags"
    CAMPAIGN = "campaign"
    NOTE = "note"


#: What the columns of a list of do-not-call entries may tell.
OF_ENTRIES: Final = (Field.PHONE, Field.CAMPAIGN, Field.NOTE)
#: What those of a list of people may tell.
OF_PEOPLE: Final = tuple(field for field in Field if field not in (Field.CAMPAIGN, Field.NOTE))

#: Columns that a file of rejected rows has beside its own; importing it again passes them over.
REJECTED_COLUMNS: Final = ("rejected_row", "rejected_column", "rejected_reason")
#: One more, where something can be done about a value.
HINT_COLUMN: Final = "rejected_hint"
_PASSED_OVER: Final = METRIC_COLUMNS | {*REJECTED_COLUMNS, HINT_COLUMN}

#: Names of columns, reduced by :func:`_plain`: English, German, French, Spanish, Italian,
#: Portuguese, Dutch, Polish, Turkish, Russian, Japanese and Chinese.
_SYNONYMS: Final[Mapping[Field, frozenset[str]]] = {
    field: frozenset(words.split())
    for field, words in {
        Field.PHONE: """
            phone phonenumber phonevalue telephone telephonenumber tel telno mobile mobilephone
            mobilenumber mobileno contactnumber cell cellphone cellular msisdn e164
            primaryphone mainphone homephone workphone businessphone
            telefon telefonnummer telefonnr rufnummer handy handynummer mobil mobilnummer
            mobiltelefon festnetz telefonmobil telefonprivat telefongeschaftlich
            telephonemobile telephoneportable numerodetelephone portable numeroportable
            telefono telefonomovil numerodetelefono movil celular numerodecelular
            numeroditelefono numerotelefono cellulare telefonocellulare
            telefone numerodetelefone telemovel
            telefoon telefoonnummer mobiel mobielnummer
            numertelefonu telefonkomorkowy komorka ceptelefonu
            телефон номертелефона мобильныи 電話番号 電話 携帯 电话 电话号码 手机 手机号
            """,
        Field.NAME: """
            name fullname contactname customername displayname contact
            vollername kundenname ansprechpartner nomcomplet nombrecompleto nombreyapellidos
            nomecompleto volledigenaam naam imieinazwisko adsoyad имяфамилия фио 氏名 姓名 名前
            """,
        Field.FIRST_NAME: """
            firstname first givenname forename vorname prenom nombre primernombre nome voornaam
            imie имя 名
            """,
        Field.LAST_NAME: """
            lastname last surname familyname nachname familienname zuname nom nomdefamille
            apellido apellidos cognome sobrenome apelido achternaam nazwisko soyad фамилия 姓
            """,
        Field.EMAIL: """
            email emailaddress mail emailvalue emailadresse mailadresse courriel adresseemail
            correo correoelectronico emailadres adresemail eposta почта メール 邮箱
            """,
        Field.TIMEZONE: """
            timezone tz tzname zone zeitzone fuseauhoraire fuseau zonahoraria husohorario
            fusoorario fusohorario tijdzone strefaczasowa
            """,
        Field.LANGUAGE: """
            language lang locale sprache langue idioma lingua taal jezyk язык 言語 语言
            """,
        Field.PRIORITY: """
            priority prio prioritat prioritaet priorite prioridad priorita prioridade prioriteit
            priorytet
            """,
        Field.TAGS: """
            tag tags label labels group groups gruppe gruppen etiquette etiquettes etiqueta
            etiquetas etichetta etichette
            """,
        Field.CAMPAIGN: """
            campaign campaignname kampagne kampagnenname campagne campana campanha campagna
            kampania kampanya кампания
            """,
        Field.NOTE: """
            note notes comment comments remark remarks reason
            notiz notizen bemerkung bemerkungen kommentar grund anmerkung
            remarque commentaire motif nota notas comentario motivo osservazione commento
            observacao opmerking reden uwaga uwagi komentarz powod
            примечание комментарии причина メモ 備考 备注
            """,
    }.items()
}
#: May be a phone number or the number of anything: heeded only where no column says phone.
_NUMBERS: Final = frozenset(["number", "nummer", "numero", "nr", "no", "numer", "номер"])

_PRIORITIES: Final[Mapping[str, Priority]] = {
    word: priority
    for priority, words in {
        Priority.HIGH: "high hoch haute alta alto hoog wysoki",
        Priority.NORMAL: "normal medium mittel normale moyenne media normaal normalny",
        Priority.LOW: "low niedrig basse baja bassa baixa laag niski",
    }.items()
    for word in words.split()
}

_APART: Final = re.compile(r"[\W_]+")
_DIGITS: Final = re.compile(r"\d+")
_TAG_MARKS: Final = re.compile(r"[,;|]")
#: How a cell begins that spreadsheets take for a formula (OWASP ASVS 1.2.10), in either width;
#: the blanks on that list are stripped from cells.
FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_FORMULA: Final = f"[{re.escape(''.join(FORMULA_SIGNS))}]"
#: The same, kept from it by an apostrophe; a text that looks like it gets one more.
_GUARDED: Final = re.compile(f"'+{_FORMULA}")
_TO_GUARD: Final = re.compile(f"'*{_FORMULA}")
_SHOWN: Final = 20  # columns that an error names


@dataclass(frozen=True, slots=True)
class Told:
    """What a row says: a phone number, and where it says what else."""

    phone: str  # E.164
    values: Sequence[str]  # of every column
    places: Mapping[Field, int]  # of the fields that are not left empty

    def value(self, field: Field) -> str:
        """What the row says about a field; an empty text when it says nothing."""
        at = self.places.get(field)
        return "" if at is None else self.values[at]


@dataclass(frozen=True, slots=True)
class Columns:
    """The meaning of a file's columns, by position."""

    header: tuple[str, ...]
    fields: Mapping[Field, tuple[int, ...]]  # several in order of preference
    variables: Mapping[int, str]
    #: Of the values of a row those in the first column of each of OF_PEOPLE.
    _first: Callable[[Sequence[str]], Sequence[str]] = attribute(
        init=False, repr=False, compare=False
    )
    #: Which of them may be told in several columns, and in which.
    _several: Mapping[int, tuple[int, ...]] = attribute(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        nowhere = (len(self.header),)  # where a row says nothing
        places = [self.fields.get(each, nowhere) for each in OF_PEOPLE]
        several = {index: each for index, each in enumerate(places) if len(each) > 1}
        object.__setattr__(self, "_first", itemgetter(*(first for first, *_ in places)))
        object.__setattr__(self, "_several", several)

    @property
    def phone_column(self) -> str:
        """The name of the column that phone numbers are read from first."""
        return self.header[self.fields[Field.PHONE][0]]

    def described(self) -> dict[str, list[str]]:
        """The columns that each field is read from."""
        return {
            str(field): [self.header[at] for at in places] for field, places in self.fields.items()
        }

    def told(self, cells: Sequence[str], region: str) -> Told | Fault:
        """What a row says, or what is wrong with it; *region* as for ``phones.e164``."""
        values = self._values(cells)
        if isinstance(values, Fault):
            return values
        places = self._places(values)
        at = places.get(Field.PHONE)
        phone = self._phone("" if at is None else values[at], values, region)
        return phone if isinstance(phone, Fault) else Told(phone, values, places)

    def read(self, cells: Sequence[str], region: str) -> Person | Fault:
        """The person a row tells of, or what is wrong with it; *region* as for ``phones.e164``."""
        values = self._values(cells)
        if isinstance(values, Fault):
            return values
        values.append("")  # what fields say that have no column
        told = self._first(values)
        if self._several:
            told = self._first_told(told, values)
        written, name, first, last, email, zone, language, priority, tags = told
        phone = self._phone(written, values, region)
        if isinstance(phone, Fault):
            return phone
        if zone and zone not in zone_names():
            return self._fault(Field.TIMEZONE, values, RowFault.BAD_ZONE)
        if priority and priority.casefold() not in _PRIORITIES:
            return self._fault(Field.PRIORITY, values, RowFault.BAD_PRIORITY)
        return Person(
            phone,
            _joined(name, first, last) if first or last else name,
            email,
            zone or None,
            language or None,
            _PRIORITIES[priority.casefold()] if priority else None,
            split_tags(tags) if tags else (),
            {name: value for at, name in self.variables.items() if (value := values[at])},
        )

    def column_of(self, field: Field, told: Told) -> str:
        """The name of the column in which a row tells a field."""
        return self.header[told.places[field]]

    def _values(self, cells: Sequence[str]) -> list[str] | Fault:
        """What the cells of a row say, one for every column."""
        values = [*map(str.strip, cells)]
        if "'" in "".join(values):  # once for the row: hardly any has one
            values = [*map(unguarded, values)]
        width = len(self.header)
        if len(values) != width:
            beyond = "".join(values[width:])
            if beyond:
                return Fault("", beyond, RowFault.TOO_MANY_COLUMNS)
            values = [*values[:width], *[""] * (width - len(values))]
        return values

    def _first_told(self, told: Sequence[str], values: Sequence[str]) -> Sequence[str]:
        """What is *told* in first columns, or where one is empty in the next of that field."""
        texts = [*told]
        for index, places in self._several.items():
            texts[index] = next((text for at in places if (text := values[at])), "")
        return texts

    def _phone(self, written: str, values: Sequence[str], region: str) -> str | Fault:
        """The number in *written*, which is what a row says of the phone."""
        if not written:
            return Fault(self.phone_column, "", RowFault.MISSING_PHONE)
        try:
            return e164(written, region)
        except PhoneError as error:
            return self._fault(Field.PHONE, values, RowFault(error.fault.value))

    def _fault(self, field: Field, values: Sequence[str], reason: RowFault) -> Fault:
        """What is wrong with what a row tells of a field."""
        at = next(at for at in self.fields[field] if values[at])
        return Fault(self.header[at], values[at], reason)

    def _places(self, values: Sequence[str]) -> dict[Field, int]:
        """Where the row tells each field: in the first of its columns that is not empty."""
        told = {}
        for field, places in self.fields.items():
            for at in places:
                if values[at]:
                    told[field] = at
                    break
        return told


def match(
    header: Sequence[str],
    named: Mapping[Field, Sequence[str]],
    known: Collection[Field] = OF_PEOPLE,
) -> Columns:
    """Recognise the columns of *header* that tell one of the *known* fields.

    What the operator *named* goes before the columns' names.

    Raises :exc:`UsageError` for a named column that is not there, and when no column holds phone
    numbers.
    """
    names = tuple(name.strip() for name in header)
    fields = {field: tuple(_find(names, each) for each in given) for field, given in named.items()}
    taken = {at for places in fields.values() for at in places}
    free = [at for at in range(len(names)) if at not in taken and not _is_exported(names[at])]
    for field in known:
        if field not in fields:
            places = tuple(at for at in free if _means(names[at], _SYNONYMS[field]))
            if field is Field.PHONE and not places:
                places = tuple(at for at in free if _means(names[at], _NUMBERS))
            fields |= {field: places} if places else {}
    if Field.PHONE not in fields:
        raise UsageError(
            f"no column holds phone numbers; the columns are {_listed(names)}",
            next_step=f"name it: --map phone={names[0]!r}",
        )
    return Columns(names, fields, _variables(names, fields))


def parse_map(texts: Iterable[str], known: Collection[Field] = OF_PEOPLE) -> dict[Field, list[str]]:
    """Read ``FIELD=COLUMN`` texts; a field given twice has columns in order of preference."""
    named: dict[Field, list[str]] = {}
    for text in texts:
        word, equals, column = (part.strip() for part in text.partition("="))
        if not equals or not column:
            raise UsageError(f"not a column's meaning: {text!r} (as in phone=Telefon)")
        named.setdefault(_field(word, column, known), []).append(column)
    return named


@lru_cache(maxsize=1024)  # a list has few sets of tags, and many rows of each
def split_tags(text: str) -> tuple[str, ...]:
    """The tags in ``vip, march; north``, each once, in their order."""
    if not text:
        return ()
    if (listed := _listed_tags(text)) is not None:
        return listed
    return tuple(dict.fromkeys(tag for part in _TAG_MARKS.split(text) if (tag := part.strip())))


def _listed_tags(text: str) -> tuple[str, ...] | None:
    """The tags in ``["vip", "a, b"]``, as an export writes those that hold a separator."""
    if not text.startswith('["'):
        return None
    try:
        tags = json.loads(text)
    except (ValueError, RecursionError):  # it begins like it, and is something else
        return None
    return tuple(dict.fromkeys(tags)) if all(isinstance(tag, str) for tag in tags) else None


def guarded(text: str, *, raw: bool = False) -> str:
    """*text* as a cell that no spreadsheet takes for a formula, and :func:`unguarded` gives back.

    A *raw* one is changed only where it would not come back as it is.
    """
    return f"'{text}" if (_GUARDED if raw else _TO_GUARD).match(text) else text


def unguarded(cell: str) -> str:
    """What a cell says, without the apostrophe that keeps spreadsheets from reading a formula."""
    return cell[1:] if cell[:1] == "'" and _GUARDED.match(cell) else cell


def _field(word: str, column: str, known: Collection[Field]) -> Field:
    fields = [str(field) for field in known]
    if word.casefold() in fields:
        return Field(word.casefold())
    hint = did_you_mean(close_matches(word, fields))
    if not hint and column.casefold() in fields:
        hint = f"; the field comes first, as in {column.casefold()}={word}"
    raise UsageError(f"no such field: {word!r} ({', '.join(fields)}){hint}")


def _find(names: Sequence[str], wanted: str) -> int:
    for same in (lambda name: name == wanted, lambda name: _plain(name) == _plain(wanted)):
        for at, name in enumerate(names):
            if same(name):
                return at
    hint = did_you_mean(close_matches(wanted, names))
    raise UsageError(f"there is no column {wanted!r}; the columns are {_listed(names)}{hint}")


def _means(name: str, synonyms: frozenset[str]) -> bool:
    """Whether a column's name is one of *synonyms*, numbered or not, as in ``Phone 2``."""
    plain = _plain(name)
    return plain in synonyms or _DIGITS.sub("", plain) in synonyms


def _plain(name: str) -> str:
    """*name* in small letters without accents, blanks and marks."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return _APART.sub("", "".join(each for each in letters if not unicodedata.combining(each)))


def _variables(names: Sequence[str], fields: Mapping[Field, Sequence[int]]) -> dict[int, str]:
    """The custom variables: every column not spoken for, and those of which part may be wanted.

    A further phone number is kept, and a first name can be greeted with, beside the whole name.
    """
    parts = (Field.FIRST_NAME, Field.LAST_NAME)
    spoken_for = {places[0] for field, places in fields.items() if field not in parts}
    variables: dict[int, str] = {}
    for at, name in enumerate(names):
        if at not in spoken_for and name not in _PASSED_OVER:
            told = variable_of(name)
            told = name or f"column_{at + 1}" if told is None else told
            variables[at] = _unused(told, variables.values())
    return variables


def _is_exported(name: str) -> bool:
    """Whether an export gave a column this name, so that it tells no field whatever it is like."""
    return name in METRIC_COLUMNS or variable_of(name) is not None


def _unused(name: str, used: Collection[str]) -> str:
    """*name*, or ``name_2`` and so on when it is taken."""
    numbered = (f"{name}_{number}" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in used)


def _joined(name: str, first: str, last: str) -> str:
    """The whole name; a column called name beside one of first names often holds the last."""
    if name and (last or first.casefold() in name.casefold()):
        return name
    last = name or last
    return f"{first} {last}" if first and last else first or last


def _listed(names: Sequence[str]) -> str:
    return few([*map(repr, names)], _SHOWN)
