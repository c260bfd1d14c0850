"""The generated pictures: calm places seen by a fixed camera, each a loop without a visible jump."""

from .bridge import Bridge
from .canvas import Scene
from .car_park import CarPark
from .harbour import Harbour
from .lobby import Lobby
from .warehouse import Warehouse

SCENES: dict[str, type[Scene]] = {
    "car-park": CarPark,
    "lobby": Lobby,
    "harbour": Harbour,
    "warehouse": Warehouse,
    "bridge": Bridge,
}
"""By the names of `--scene`; the first four are the demo's cameras."""

__all__ = ["SCENES", "Scene"]
