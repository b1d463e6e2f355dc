import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export_material import row_of, span_of

from talkvid.curation.persons import (
    grouped,
    person_ids,
    read_persons,
    read_vectors,
    write_persons,
)

DIM = 128


def people(count: int, clips_each: int, *, seed: int = 0, spread: float = 0.6) -> dict[str, list[float]]:
    """Return vectors of clips `p<person>c<clip>`: cosines within a person about 0.7, else about 0."""
    drawn = np.random.default_rng(seed)
    found = {}
    for person in range(count):
        centre = drawn.normal(size=DIM)
        centre /= np.linalg.norm(centre)
        for clip in range(clips_each):
            noise = drawn.normal(size=DIM)
            vector = centre + spread * noise / np.linalg.norm(noise)
            found[f"p{person:02d}c{clip}"] = vector.tolist()
    return found


def same(ids: dict[str, str]) -> dict[str, set[str]]:
    return {person: {name[:3] for name, own in ids.items() if own == person} for person in set(ids.values())}


def test_clips_of_one_person_share_an_id_and_no_two_people_do() -> None:
    ids = person_ids(people(12, 5), {}, least_similarity=0.45)
    assert len(set(ids.values())) == 12
    assert all(len(members) == 1 for members in same(ids).values())


def test_the_ids_do_not_hang_on_the_order_of_the_clips() -> None:
    vectors = people(6, 4)
    expected = person_ids(vectors, {}, least_similarity=0.45)
    for seed in range(5):
        names = list(vectors)
        random.Random(seed).shuffle(names)
        assert person_ids({name: vectors[name] for name in names}, {}, least_similarity=0.45) == expected


def test_ids_stay_with_their_people_when_clips_come_and_go() -> None:
    vectors = people(8, 4)
    known = {name: vector for name, vector in vectors.items() if name >= "p03"}
    earlier = person_ids(known, {}, least_similarity=0.45)
    ids = person_ids(vectors, earlier, least_similarity=0.45)
    assert {name: ids[name] for name in known} == earlier
    newcomers = {ids[name] for name in vectors if name < "p03"}
    assert len(newcomers) == 3 and not newcomers & set(earlier.values())


def test_an_id_is_never_given_to_somebody_else() -> None:
    vectors = people(3, 3)
    earlier = {"gone": "person-0009"}
    assert set(person_ids(vectors, earlier, least_similarity=0.45).values()) == {
        "person-0010", "person-0011", "person-0012",
    }  # fmt: skip


def test_a_group_that_falls_apart_keeps_its_id_once() -> None:
    vectors = people(2, 3)
    wrong = dict.fromkeys(vectors, "person-0001")
    ids = person_ids(vectors, wrong, least_similarity=0.45)
    assert set(ids.values()) == {"person-0001", "person-0002"}


def test_one_vector_is_one_person_and_none_is_none() -> None:
    assert person_ids({"a": [1.0, 0.0]}, {}, least_similarity=0.5) == {"a": "person-0001"}
    assert person_ids({}, {}, least_similarity=0.5) == {}
    assert grouped(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), 0.5) == [0, 0, 1]


@pytest.mark.parametrize("wrong", [{"a": [1.0], "b": [1.0, 2.0]}, {"a": [float("nan"), 1.0]}])
def test_vectors_that_do_not_fit_together_are_refused(wrong: dict[str, list[float]]) -> None:
    with pytest.raises(ValueError, match="identity vectors must be numbers, as many for every clip"):
        person_ids(wrong, {}, least_similarity=0.5)


def test_vectors_of_the_users_are_read_by_clip_id_or_name(tmp_path: Path) -> None:
    first, second, third = (row_of(span_of(tmp_path / f"{name}.mp4", 0, 10)) for name in "abc")
    stored: dict[str, Any] = {first.name: np.ones(4), second.clip_id: np.zeros(4)}
    np.savez(tmp_path / "v.npz", **stored)
    found = read_vectors(tmp_path / "v.npz", [first, second, third])
    assert found == {first.clip_id: [1.0] * 4, second.clip_id: [0.0] * 4}
    with pytest.raises(ValueError, match="holds no vector of any of these clips"):
        read_vectors(tmp_path / "v.npz", [third])
    with pytest.raises(FileNotFoundError, match="no such file of identity vectors"):
        read_vectors(tmp_path / "w.npz", [first])
    (tmp_path / "v.bin").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"are read from \.npz or \.safetensors"):
        read_vectors(tmp_path / "v.bin", [first])


def test_the_list_of_persons_reads_back(tmp_path: Path) -> None:
    write_persons(tmp_path / "persons.json", {"b": "person-0002", "a": "person-0001"})
    assert read_persons(tmp_path / "persons.json") == {"a": "person-0001", "b": "person-0002"}
    assert read_persons(tmp_path / "none.json") == {}
