"""A campaign that nobody here can listen for is refused, with the cure."""

from collections.abc import Collection
from types import SimpleNamespace

import pytest

from dialer.campaigns import NewCampaign
from dialer.errors import UsageError
from dialer.listening import readiness, sound
from dialer.model import AmdMode

NUMBERS = [(1, 1)]


def installed(monkeypatch: pytest.MonkeyPatch, names: Collection[str]) -> None:
    found = {name: SimpleNamespace() for name in names}
    monkeypatch.setattr(readiness, "find_spec", found.get)


@pytest.mark.parametrize("mode", [AmdMode.ML, AmdMode.FUSED])
@pytest.mark.parametrize("here", [(), ("numpy",), ("onnxruntime",)])
def test_sound_needs_the_extra(
    monkeypatch: pytest.MonkeyPatch, mode: AmdMode, here: tuple[str, ...]
) -> None:
    installed(monkeypatch, here)

    for campaign in (
        NewCampaign("Renewals", 1, NUMBERS, amd=mode),
        NewCampaign("Renewals", 1, NUMBERS, amd_shadow=(mode,)),
    ):
        with pytest.raises(UsageError, match=f"amd: {mode}") as caught:
            campaign.check()
        assert "dialer[ml]" in (caught.value.next_step or "")
    assert sound.ears_from("") is sound.NO_EARS
    assert sound.NO_EARS.make() is None


@pytest.mark.parametrize("mode", [AmdMode.TEXT, AmdMode.CARRIER, AmdMode.OFF])
def test_words_need_nothing(monkeypatch: pytest.MonkeyPatch, mode: AmdMode) -> None:
    installed(monkeypatch, ())

    NewCampaign("Renewals", 1, NUMBERS, amd=mode).check()


def test_the_default_goes_by_words() -> None:
    assert NewCampaign("Renewals", 1, NUMBERS).amd is AmdMode.TEXT


@pytest.mark.parametrize(
    ("acting", "shadow", "why"),
    [
        (AmdMode.TEXT, (AmdMode.TEXT,), "the mode that acts"),
        (AmdMode.TEXT, (AmdMode.OFF,), "judges nothing"),
    ],
)
def test_a_shadow_is_another_mode(acting: AmdMode, shadow: tuple[AmdMode, ...], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        NewCampaign("Renewals", 1, NUMBERS, amd=acting, amd_shadow=shadow).check()
