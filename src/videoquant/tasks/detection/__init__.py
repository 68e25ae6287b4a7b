"""Detection: boxes from the outputs of every family of detectors, and how far two sets of them agree."""

from videoquant.tasks.detection.anchors import AnchorBoxes
from videoquant.tasks.detection.boxes import Boxes as Boxes
from videoquant.tasks.detection.corners import CornerBoxes, ListedBoxes, OfferedBoxes
from videoquant.tasks.detection.detector import BOX_F1 as BOX_F1
from videoquant.tasks.detection.detector import Detection as Detection
from videoquant.tasks.detection.distances import DistanceBoxes
from videoquant.tasks.detection.faces import CenterBoxes, DistanceFaces, PriorFaces
from videoquant.tasks.detection.queries import QueryBoxes
from videoquant.tasks.detection.text import TextBoxes
from videoquant.tasks.detection.yolo import FinalBoxes, ObjectBoxes, ScoredBoxes

# Every family, in the order in which they are tried.
DETECTORS = (
    OfferedBoxes,
    ScoredBoxes,
    ObjectBoxes,
    DistanceBoxes,
    PriorFaces,
    DistanceFaces,
    CenterBoxes,
    AnchorBoxes,
    ListedBoxes,
    QueryBoxes,
    CornerBoxes,
    FinalBoxes,
    TextBoxes,
)
