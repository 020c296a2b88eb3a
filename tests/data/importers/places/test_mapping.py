"""Tables of categories and intents."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humobctl.data.importers.places.mapping import (
    VOCABULARIES,
    Mapping,
    Rule,
    mapping_for,
    own_rules,
    parse_rules,
    plain_category,
    read_rules,
)
from humobctl.errors import HumobError
from humobctl.tables.schemas import INTENTS
from tests.messages import raises


def found(mapping: Mapping, *categories: str, together: bool = False) -> str | None:
    return mapping.find(categories, together=together).intent


def test_the_first_row_that_matches_decides() -> None:
    mapping = Mapping(
        [Rule("wine_bar", "eat"), Rule("*_bar", "excursion"), Rule("salad_bar", None)]
    )
    assert found(mapping, "wine_bar") == "eat"
    assert found(mapping, "cocktail_bar") == "excursion"
    assert found(mapping, "salad_bar") == "excursion"  # the pattern stands before it
    assert not mapping.find(["bar"]).decided


def test_the_most_telling_category_decides() -> None:
    mapping = Mapping([Rule("food", "eat"), Rule("bar", "excursion"), Rule("kiosk", None)])
    assert found(mapping, "bar", "food") == "excursion"
    assert found(mapping, "unheard_of", "food") == "eat"
    closed = mapping.find(["kiosk", "food"])
    assert (closed.intent, closed.decided) == (None, True)


def test_a_label_stands_for_those_below_it() -> None:
    mapping = Mapping([Rule("Food > Bar", "excursion"), Rule("Food", "eat")])
    assert found(mapping, "Food > Bar > Wine Bar") == "excursion"
    assert found(mapping, "food>noodles") == "eat"
    assert mapping.find(["Food > Noodles"]).category == "Food"


def test_tags_are_asked_together() -> None:
    mapping = Mapping(
        [Rule("shop=vacant", None), Rule("shop=*", "eat"), Rule("building=house", "go home")]
    )
    assert found(mapping, "building=house", "shop=bread", together=True) == "eat"
    # A vacant shop does not empty the house above it.
    assert found(mapping, "building=house", "shop=vacant", together=True) == "go home"
    assert found(mapping, "shop=vacant", "height=3", together=True) is None
    assert mapping.tag_keys() == ["shop", "building"]


@pytest.mark.parametrize("text", ["Tea Room", "tea_room", "TEA-ROOM", " tea  room "])
def test_spelling_does_not_matter(text: str) -> None:
    assert found(Mapping([Rule("tea_room", "eat")]), text) == "eat"


def test_accents_and_other_scripts() -> None:
    assert plain_category("Café") == "cafe"
    assert plain_category("餐厅") == "餐厅"
    assert found(Mapping([Rule("餐厅", "eat")]), "餐厅") == "eat"


# What the project's own tables say of common categories; worked out by hand.
COMMON = {
    "osm": {
        "amenity=restaurant": "eat",
        "amenity=pub": "leisure or entertainment",
        "amenity=atm": "banking and financial services",
        "amenity=school": "go to work",
        "amenity=place_of_worship": "cultural institutions and events",
        "shop=bakery": "do shopping",
        "shop=hairdresser": "handle the trivialities of life",
        "shop=vacant": None,
        "office=company": "go to work",
        "leisure=park": "excursion",
        "leisure=pitch": "do sports",
        "tourism=hotel": "go to sleep",
        "building=apartments": "go home",
        "building=yes": None,
        "amenity=bench": None,
        "railway=switch": None,
        "healthcare=centre": "medical treatment",
    },
    "overture": {
        "pizza_restaurant": "eat",
        "smoothie_juice_bar": "eat",
        "cocktail_bar": "leisure or entertainment",
        "bubble_tea_shop": "eat",
        "grocery_store": "do shopping",
        "hair_salon": "handle the trivialities of life",
        "hair_supply_store": "do shopping",
        "dental_clinic": "medical treatment",
        "bank_or_credit_union": "banking and financial services",
        "elementary_school": "go to work",
        "cooking_school": "cultural institutions and events",
        "corporate_or_business_office": "go to work",
        "golf_course": "do sports",
        "golf_equipment_store": "do shopping",
        "national_park": "excursion",
        "military_museum": "cultural institutions and events",
        "hotel": "go to sleep",
        "condominium": "go home",
        "services_and_business": "go to work",
        "travel_and_transportation": None,
        "train_station": None,
    },
    "foursquare": {
        "Dining and Drinking > Restaurant > Ramen Restaurant": "eat",
        "Dining and Drinking > Bar > Pub": "leisure or entertainment",
        "Retail > Food and Beverage Retail > Grocery Store": "do shopping",
        "Business and Professional Services > Office > Coworking Space": "go to work",
        "Business and Professional Services > Financial Service > Banking and Finance > ATM": (
            "banking and financial services"
        ),
        "Community and Government > Education > High School": "go to work",
        "Community and Government > Residential Building > Apartment or Condo": "go home",
        "Landmarks and Outdoors > Park": "excursion",
        "Sports and Recreation > Gym and Studio": "do sports",
        "Travel and Transportation > Lodging > Hotel": "go to sleep",
        "Travel and Transportation > Transport Hub > Rail Station": None,
        "Health and Medicine > Hospital": "medical treatment",
    },
    "humob": {"Ramen restaurant": "eat", "Transit Station": None, "Heavy Industry": "go to work"},
}


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_common_categories(vocabulary: str) -> None:
    mapping = mapping_for(None, vocabulary)
    assert {name: found(mapping, name) for name in COMMON[vocabulary]} == COMMON[vocabulary]


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_no_row_of_ours_is_in_the_shadow_of_another(vocabulary: str) -> None:
    """Every row without a wildcard is the one that decides of its category."""
    rules = own_rules(vocabulary)
    mapping = Mapping(rules)
    plain = [rule for rule in rules if "*" not in rule.category]
    wrong = [rule for rule in plain if mapping.find([rule.category]).intent != rule.intent]
    assert not wrong


def test_every_intent_is_served_by_osm_and_humob_has_85_categories() -> None:
    assert {rule.intent for rule in own_rules("osm")} >= set(INTENTS)
    assert len(own_rules("humob")) == 85


def test_a_users_rows_go_first(save) -> None:
    path = save(
        "# mine\ncategory,intent\n\namenity=bench,excursion\namenity=restaurant,\n", "m.csv"
    )
    mapping = mapping_for(path, "osm")
    assert found(mapping, "amenity=bench") == "excursion"
    assert mapping.find(["amenity=restaurant"]).decided
    assert found(mapping, "amenity=restaurant") is None
    assert found(mapping, "amenity=cafe") == "eat"


def test_a_star_row_replaces_the_projects_table(save) -> None:
    mapping = mapping_for(save("category,intent\ncafe,eat\n*,\n", "m.csv"), "overture")
    assert found(mapping, "cafe") == "eat"
    assert found(mapping, "hotel") is None


FAULTS = {
    "category;intent\na;eat\n": ("category;intent",),
    "a,b\nbar,eat\n": ("a, b", "category, intent"),
    "category,intent\nbar,drink\n": ("line 2", "column intent", "'drink'"),
    "# c\ncategory,intent\n,eat\n": ("line 3", "column category", "nothing"),
    "category,intent\nbar,eat,1\n": ("line 2", 3, 2, "fields"),
    "category,intent\nbar,eat\n\nBar,\n": ("line 4", "column category", "Bar", "second"),
    "category,intent\n": ("no row", "category,intent"),
}


@pytest.mark.parametrize("text", FAULTS)
def test_faults_are_one_clear_line(text: str) -> None:
    with raises(HumobError, "m.csv", *FAULTS[text]):
        parse_rules(text, "m.csv")


def test_a_file_that_is_no_text(save) -> None:
    with raises(HumobError, "m.csv", "line 2", "0xe9", "UTF-8"):
        read_rules(save(b"category,intent\ncaf\xe9,eat\n", "m.csv"))
    with raises(HumobError, "there.csv", "no such file"):
        read_rules(str(Path("there.csv")))


names = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"], exclude_characters="#*"),
    min_size=1,
    max_size=12,
).filter(lambda text: plain_category(text).strip("_>") != "" and not text.startswith("\ufeff"))
tables = st.dictionaries(names, st.sampled_from([*INTENTS, ""]), min_size=1, max_size=20)


@given(tables)
def test_what_is_written_is_found_again(table: dict[str, str]) -> None:
    unique = {plain_category(name): (name, intent) for name, intent in table.items()}
    quoted = [
        f'"{name.replace(chr(34), chr(34) * 2)}",{intent}' for name, intent in unique.values()
    ]
    rules = parse_rules("\n".join(["category,intent", *quoted]), "m.csv")
    mapping = Mapping(rules)
    for name, intent in unique.values():
        answer = mapping.find([name])
        assert (answer.intent or "", answer.decided) == (intent, True)


@given(st.text(max_size=200))
def test_any_text_is_rows_or_one_clear_line(text: str) -> None:
    try:
        rules = parse_rules(text, "m.csv")
    except HumobError as exc:
        assert str(exc).startswith("m.csv: ")
    else:
        assert rules


@given(st.lists(names, min_size=1, max_size=4), st.booleans())
def test_a_pattern_of_everything_finds_everything(categories: list[str], together: bool) -> None:
    answer = Mapping([Rule("*", "eat")]).find(categories, together=together)
    assert answer.intent == "eat"
    assert answer.category in categories
