"""The paper's DRAEM on pixels: `Draem`, its losses, the authors' published weights."""
