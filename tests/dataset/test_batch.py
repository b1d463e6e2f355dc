"""Which samples a step reads is a function of the seed and its place."""

import pytest

from talkvid.dataset.batch import StepBatches


def test_every_pass_reads_every_sample_once() -> None:
    keys = [key for batch in StepBatches(6, 2, seed=1, last_step=6) for key in batch]
    assert sorted(keys) == [(epoch, number) for epoch in (0, 1) for number in range(6)]
    assert [key.number for key in keys[:6]] != [key.number for key in keys[6:]]


def test_resuming_in_the_middle_reads_what_would_have_come() -> None:
    whole = list(StepBatches(5, 3, seed=7, last_step=9, accumulation=2))
    rest = list(StepBatches(5, 3, seed=7, first_step=4, last_step=9, accumulation=2))
    assert rest == whole[8:]
    assert len(StepBatches(5, 3, seed=7, first_step=4, last_step=9, accumulation=2)) == len(rest) == 10


def test_two_processes_read_what_one_with_two_micro_batches_reads() -> None:
    alone = list(StepBatches(7, 2, seed=3, last_step=5, accumulation=2))
    first, second = (list(StepBatches(7, 2, seed=3, last_step=5, rank=rank, processes=2)) for rank in (0, 1))
    assert alone == [batch for pair in zip(first, second, strict=True) for batch in pair]


def test_an_empty_data_set_is_named() -> None:
    with pytest.raises(ValueError, match="no sample"):
        StepBatches(0, 1, seed=0, last_step=1)
