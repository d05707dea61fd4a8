"""Finding a patient from whatever the person at the desk types: a name in any script, some digits, a card number.

Names of all scripts are folded into one plain Latin spelling, kept in `Patient.search_text`; the query is folded the
same way and matched by trigrams, so that a wrong letter does not hide anyone. The index `patient_search` serves it.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Iterable

from django.contrib.postgres.search import TrigramWordSimilarity
from django.db import connection, transaction
from django.db.models import Case, Exists, FloatField, OuterRef, Q, QuerySet, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Greatest
from rapidfuzz.distance import DamerauLevenshtein

from clinic.models import Patient, Reservation

# A wrong, extra or missing letter in a name of six leaves half of its trigrams or more, in one of four fewer. So
# loose a match is tried last, and then counted letter by letter.
_SIMILAR_ENOUGH = 0.5
_FAR_BUT_POSSIBLE = 0.3
_MOST_TO_COUNT = 300
# With so many who are written just as asked for, nobody looks for a misspelt one.
_ENOUGH = 5
# Shorter words have too few trigrams to tell a slip of the finger from another name.
_SHORTEST_WITH_TYPOS = 4
_MOST_WORDS = 6
_NOT_THE_SAME = 1000

_CYRILLIC = str.maketrans(
    {
        **dict(zip("абвгґдеєёзиіїйклмнопрстуўфхц", "abvggdeeeziiiiklmnoprstuufhc", strict=True)),
        **dict(zip("жчшщыэюяъь", ("zh", "ch", "sh", "shch", "i", "e", "iu", "ia", "", ""), strict=True)),
    }
)
# Letters that no decomposition takes apart, and marks inside words.
_LATIN = str.maketrans(
    {"ł": "l", "đ": "d", "ø": "o", "æ": "ae", "œ": "oe", "ß": "ss", "ı": "i", "þ": "th", "ð": "d"}
    | dict.fromkeys("'’ʼ`´ʹ", "")
)
# Spellings of one sound that differ between English, Polish and passport transliterations of a name.
_SPELLINGS = (("cz", "ch"), ("sz", "sh"), ("kh", "h"), ("ts", "c"), ("ck", "k"), ("x", "ks"))
_LETTERS = str.maketrans("yjw", "iiv")
_DOUBLED = re.compile(r"([a-z])\1+")
_NOT_WORD = re.compile(r"[^a-z0-9]+")

_ENGLISH_KEYS = "`qwertyuiop[]asdfghjkl;'zxcvbnm,.~QWERTYUIOP{}ASDFGHJKL:\"ZXCVBNM<>"
_RUSSIAN_KEYS = "ёйцукенгшщзхъфывапролджэячсмитьбюЁЙЦУКЕНГШЩЗХЪФЫВАПРОЛДЖЭЯЧСМИТЬБЮ"
_TO_RUSSIAN = str.maketrans(_ENGLISH_KEYS, _RUSSIAN_KEYS)
_TO_ENGLISH = str.maketrans(_RUSSIAN_KEYS, _ENGLISH_KEYS)
_DATE = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})|(\d{4})-(\d{2})-(\d{2})")


def fold(text: str) -> str:
    """`text` in plain lower-case Latin words: no accents, one spelling for Cyrillic and its transliterations.

    "Ковтун", "Kovtun" and "KOWTUN" all give "kovtun". Folding twice changes nothing.
    """
    # Cyrillic goes first: decomposed, й would be и with a mark.
    plain = unicodedata.normalize("NFC", text).lower().translate(_CYRILLIC).translate(_LATIN)
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(letter))
    plain = _NOT_WORD.sub(" ", plain.lower().translate(_LETTERS))
    while (shorter := _spell(plain)) != plain:
        plain = shorter
    return plain.strip()


def _spell(text: str) -> str:
    for written, meant in _SPELLINGS:
        text = text.replace(written, meant)
    return _DOUBLED.sub(r"\1", text)


def search_text_for(patient: Patient, phones: Iterable[str]) -> str:
    """What `search_text` should hold, for a card and its phone numbers (E.164 or a PhoneNumber). Touches no database.

    Folded names, family name first, then the card number and digits; spaces at both ends mark ends of words.
    """
    names = fold(f"{patient.family_name} {patient.given_name} {patient.patronymic} {patient.full_name}").split()
    card = fold(patient.card_number)
    digits = [_digits(patient.card_number), *(_digits(str(phone)) for phone in phones)]
    return f" {' '.join(dict.fromkeys(word for word in [*names, *card.split(), *digits] if word))} "


def refresh_search_text(patient: Patient) -> None:
    """Bring the card's `search_text` up to date after a change of names, card number or phones."""
    text = search_text_for(patient, [str(phone.number) for phone in patient.phones.all()])
    if text != patient.search_text:
        patient.search_text = text
        patient.save(update_fields=["search_text"])


def search_patients(text: str, *, limit: int = 20, clinic_ids: Iterable[int] | None = None) -> list[Patient]:
    """Patients whom `text` may mean, best first, with their phones fetched.

    `text` is any part of a name (any script, typed in the wrong keyboard layout, with a typo), digits of a phone
    number or card, or a birth date. A card merged into another gives the surviving one. `clinic_ids` leaves out
    those who are treated elsewhere only; a patient with no appointment at all belongs to every clinic.
    """
    readings = _readings(text)
    born = _birth_date(text)
    if not readings and born is None:
        return []
    patients = Patient.objects.all() if clinic_ids is None else _of_clinics(clinic_ids)
    patients = patients.prefetch_related("phones")
    if born is not None:
        return _survivors(list(patients.filter(birth_date=born)[: 2 * limit]))[:limit]
    # Merged cards may lead several hits to one person, hence more than `limit`.
    most = 2 * limit
    hits = list(_matching(patients, readings, _is_spelt)[:most])
    if len(hits) < _ENOUGH and any(_may_have_typo(word) for words in readings for word in words):
        hits += _misspelt(patients, readings, most=most, besides=hits)
    return _survivors(hits)[:limit]


def _misspelt(
    patients: QuerySet[Patient], readings: list[list[str]], *, most: int, besides: list[Patient]
) -> list[Patient]:
    """Likes of what was typed; if nothing else was found, what has letters swapped, then anything within two slips."""
    known = {patient.pk for patient in besides}
    # What the other keyboard layout would mean is nonsense most of the time, and similar to many a name.
    hits = _fetch(_matching(patients, readings[:1], _is_similar)[:most], similar_enough=_SIMILAR_ENOUGH)
    hits = [hit for hit in hits if hit.pk not in known]
    if besides or hits:
        return hits
    if swapped := list(_matching(patients, readings, _is_swapped)[:most]):
        return swapped
    likely = _fetch(_matching(patients, readings[:1], _is_similar)[:_MOST_TO_COUNT], similar_enough=_FAR_BUT_POSSIBLE)
    return _within_slips(likely, readings[:1])[:most]


def _fetch(found: QuerySet[Patient], *, similar_enough: float) -> list[Patient]:
    # The operator that the index serves takes its threshold from a setting, set here until the transaction's end.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('pg_trgm.word_similarity_threshold', %s, true)", [str(similar_enough)])
        return list(found)


def _within_slips(patients: list[Patient], readings: list[list[str]]) -> list[Patient]:
    """Those whose every word is within a slip or two of what was typed (Damerau-Levenshtein), nearest first."""
    distances = []
    for patient in patients:
        known = patient.search_text.split()
        distances.append(min(sum(_slips(word, known) for word in words) for words in readings))
    nearest = sorted(zip(distances, range(len(patients)), strict=True))
    return [patients[position] for distance, position in nearest if distance < _NOT_THE_SAME]


def _slips(word: str, known: list[str]) -> int:
    if not _may_have_typo(word):
        return 0 if any(word in other for other in known) else _NOT_THE_SAME
    least = min((DamerauLevenshtein.distance(word, other) for other in known), default=_NOT_THE_SAME)
    return least if least <= (2 if len(word) > 5 else 1) else _NOT_THE_SAME


def _may_have_typo(word: str) -> bool:
    return len(word) >= _SHORTEST_WITH_TYPOS and word.isalpha()


def _readings(text: str) -> list[list[str]]:
    """The words that `text` may stand for: as it is, or as meant on the other keyboard layout, or as a phone number."""
    digits = _digits(text)
    if digits and not any(letter.isalpha() for letter in text):
        # A trunk prefix (8 in Russia, 0 elsewhere, 00 abroad) is dialled but not part of the number.
        numbers = [digits, digits[1:] if digits[0] in "08" else "", digits.removeprefix("00")]
        return [[number] for number in dict.fromkeys(numbers) if len(number) >= 3 or number == digits]
    typed = [text, text.translate(_TO_RUSSIAN), text.translate(_TO_ENGLISH)]
    return [folded.split()[:_MOST_WORDS] for folded in dict.fromkeys(map(fold, typed)) if folded]


def _matching(patients: QuerySet[Patient], readings: list[list[str]], matches: Callable[[str], Q]) -> QuerySet[Patient]:
    """Those of whom every word of one of the readings matches, the closest first."""
    condition = Q()
    scores = []
    for words in readings:
        every_word = Q()
        score: Combinable = Value(0.0)
        for word in dict.fromkeys(words):
            every_word &= matches(word)
            score = score + _closeness(word)
        condition |= every_word
        scores.append(Case(When(every_word, then=score), default=Value(0.0), output_field=FloatField()))
    best = Greatest(*scores) if len(scores) > 1 else scores[0]
    return patients.filter(condition).annotate(score=best).order_by("-score", "full_name", "pk")


def _is_spelt(word: str) -> Q:
    # Short words match only at the beginning of a name; digits anywhere, as the last four of a number do.
    anywhere = word.isdigit() or len(word) >= _SHORTEST_WITH_TYPOS
    return Q(search_text__contains=word if anywhere else f" {word}")


def _is_similar(word: str) -> Q:
    return _is_spelt(word) | Q(search_text__trigram_word_similar=word) if _may_have_typo(word) else _is_spelt(word)


def _is_swapped(word: str) -> Q:
    condition = _is_spelt(word)
    if _may_have_typo(word):
        for first in range(len(word) - 1):
            swapped = word[:first] + word[first + 1] + word[first] + word[first + 2 :]
            condition |= Q(search_text__contains=f" {swapped}")
    return condition


def _closeness(word: str) -> Case:
    """4 for a whole word, 3 for the beginning of one, 2 for its end (last digits), 1 inside; a typo less than 1."""
    return Case(
        When(search_text__contains=f" {word} ", then=Value(4.0)),
        When(search_text__contains=f" {word}", then=Value(3.0)),
        When(search_text__contains=f"{word} ", then=Value(2.0)),
        When(search_text__contains=word, then=Value(1.0)),
        default=TrigramWordSimilarity(word, "search_text"),
        output_field=FloatField(),
    )


def _birth_date(text: str) -> dt.date | None:
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return None
    day, month, year, iso_year, iso_month, iso_day = match.groups()
    try:
        return dt.date(int(year or iso_year), int(month or iso_month), int(day or iso_day))
    except ValueError:
        return None


def _of_clinics(clinic_ids: Iterable[int]) -> QuerySet[Patient]:
    appointments = Reservation.objects.filter(resource_id=OuterRef("pk"))
    there = appointments.filter(appointment__clinic_id__in=list(clinic_ids))
    return Patient.objects.filter(Exists(there) | ~Exists(appointments))


def _survivors(hits: list[Patient]) -> list[Patient]:
    """The cards that merged ones were merged into, at most once each."""
    known = {card.pk: card for card in hits}
    while wanted := {card.merged_into_id for card in known.values() if card.merged_into_id} - known.keys():
        known |= {card.pk: card for card in Patient.objects.filter(pk__in=wanted).prefetch_related("phones")}
    survivors: dict[int, Patient] = {}
    for hit in hits:
        card, passed = hit, {hit.pk}
        while card.merged_into_id is not None and card.merged_into_id not in passed:
            card = known[card.merged_into_id]
            passed.add(card.pk)
        survivors.setdefault(card.pk, card)
    return list(survivors.values())


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isdigit() and letter.isascii())
