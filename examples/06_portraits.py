"""A painted portrait knows what it is made of: one factor changes, all else stays; two factors go together."""

from PIL import Image

from kinesphere.studio import sheets
from kinesphere.train.portraits import Portraits, draw_factors, paint

sitter = draw_factors(seed=0, index=5)  # {"turn": 0.153119, ..., "hair_style": "loose", ...}
smiles = [paint(sitter | {"smile": s}, size=96) for s in (-1.0, -0.5, 0.0, 0.5, 1.0)]

happier = Portraits(seed=0, size=96, correlations={("smile", "age"): 0.8})  # the older, the happier
people = sorted((happier[i] for i in range(5)), key=lambda pair: pair[1]["age"])

rows = smiles + [picture for picture, factors in people]
Image.fromarray(sheets.grid(rows, 5, row_titles=["smile", "by age"])).save("portraits.png")
