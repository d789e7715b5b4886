"""What can be named as a model, and what of it is on this machine already."""

from __future__ import annotations

from pathlib import Path

from otoscope.representations.upstreams.cards import CARDS
from otoscope.representations.upstreams.convolutional import Convolutional
from otoscope.representations.upstreams.families import COMMON_SETTINGS, Family, families

__all__ = ["family_rows", "is_present", "known_rows"]

_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


def family_rows() -> list[dict[str, object]]:
    """List the families of networks.

    Returns
    -------
    list of dict
        JSON values: name, ``model_types``, how many known checkpoints there are and with how many layers, what is
        done to the level of a clip, which clips may be heard together, settings, citation.
    """
    rows: list[dict[str, object]] = []
    unique: dict[str, Family] = {family.name: family for family in families().values()}
    for family in unique.values():
        cards = [card for card in CARDS if card.model_type in family.model_types]
        fields = {**COMMON_SETTINGS, **family.settings}
        rows.append(
            {
                "name": family.name,
                "model_types": list(family.model_types),
                "n_known": len(cards),
                "layers": sorted({card.n_layers for card in cards}),
                "licences": sorted({card.licence for card in cards}),
                "level": _level(family),
                "together": _together(family),
                "settings": {key: f"{field.meaning} ({field.accepted})" for key, field in sorted(fields.items())},
                "citation": family.citation,
            }
        )
    return rows


def _level(family: Family) -> str:
    if "normalize" in family.settings:
        return "as its card says"
    return str(getattr(family, "level", "as the network was trained"))


def _together(family: Family) -> str:
    """Say which clips may be heard at once without a change beyond rounding."""
    if not isinstance(family, Convolutional):
        return "any lengths"
    if not family.masks_hold:
        return "equal lengths"
    return "equal lengths; any, with layer norms in the convolutions"


def known_rows() -> list[dict[str, object]]:
    """List the checkpoints that something is known of.

    Returns
    -------
    list of dict
        As :meth:`otoscope.representations.upstreams.cards.Card.describe` gives them, with ``present``: whether
        configuration and weights lie in the hub's local cache. No network is used.
    """
    return [{**card.describe(), "present": is_present(card.name)} for card in CARDS]


def is_present(name: str, *, cache: Path | None = None) -> bool:
    """Say whether a checkpoint lies in the hub's local cache.

    Parameters
    ----------
    name : str
        ``org/name``.
    cache : Path, optional
        The cache; the hub's own without it.

    Returns
    -------
    bool
        True where its configuration and some weights are there.
    """
    from huggingface_hub import try_to_load_from_cache

    def there(file: str) -> bool:
        found = try_to_load_from_cache(name, file, cache_dir=cache)
        return isinstance(found, str) and Path(found).is_file()

    return there("config.json") and any(there(file) for file in _WEIGHTS)
