"""What the code calls by a key -> as people say it; translated where it is shown."""


def noted(text: str) -> str:
    """Marks a text for the catalogues."""
    return text


SET_NAMES = {
    "gb2312-1": noted("the 3,755 most frequent simplified characters (GB 2312, level 1)"),
    "gb2312": noted("GB 2312, what a simplified Chinese font usually has"),
    "tgh-1": noted("the 3,500 most frequent characters of China’s general standard"),
    "tgh": noted("the 8,105 characters of China’s general standard"),
    "big5-1": noted("the 5,401 most frequent traditional characters (Big5, level 1)"),
    "tw-4808": noted("the 4,808 common characters of Taiwan"),
    "jf7000": noted("jf 7000, made for Taiwan, 6,763 characters"),
    "big5": noted("Big5, what a traditional Chinese font usually has"),
    "kana+jis-1": noted("kana and the 2,965 most frequent kanji (JIS level 1)"),
    "joyo": noted("the 2,136 kanji of the jōyō list"),
    "jisx0208": noted("kana and kanji of JIS levels 1 and 2"),
    "ksx1001-hangul": noted("the 2,350 most frequent syllables (KS X 1001)"),
    "hangul-common": noted("the 2,780 syllables of common use"),
    "hangul": noted("all 11,172 syllables"),
    "ascii": noted("the English alphabet, digits and signs"),
    "latin1": noted("letters of western European languages"),
    "latin1+latin-ext-a": noted("letters of most European languages"),
}
REGION_OF_SET = {
    "gb2312-1": noted("Simplified Chinese"),
    "big5-1": noted("Traditional Chinese"),
    "kana+jis-1": noted("Japanese"),
    "ksx1001-hangul": noted("Korean"),
    "ascii": noted("Latin"),
}
SET_OF_LANGUAGE = {"zh_Hans": "gb2312-1", "zh_Hant": "big5-1", "ja": "kana+jis-1"}  # what a hand begins with
REGION_NAMES = {
    "simplified Chinese": REGION_OF_SET["gb2312-1"],
    "traditional Chinese": REGION_OF_SET["big5-1"],
    "Japanese": REGION_OF_SET["kana+jis-1"],
    "Korean": REGION_OF_SET["ksx1001-hangul"],
    "Latin": REGION_OF_SET["ascii"],
}
REASONS = {
    "structure": noted("strokes may be missing or too many"),
    "illegible": noted("was not read as its character"),
    "blank": noted("has no ink"),
    "clipped": noted("is cut off at the edge"),
}
DOINGS = {
    "coverage": noted("looking at the typeface"),
    "preview": noted("drawing some characters untrained"),
    "expect": noted("estimating time and quality"),
    "complete": noted("training, drawing and building the font"),
    "infer": noted("drawing your text"),
    "advise": noted("choosing what to draw next"),
    "template": noted("making pages to print"),
    "scan": noted("cutting the photographs"),
}
CREDITS = {
    "version": noted("Version"),
    "designer": noted("Designer"),
    "designer_url": noted("Designer’s page"),
    "copyright": noted("Copyright"),
    "licence": noted("Licence"),
}
STATES = {
    "waiting": noted("waits"),
    "running": noted("at work"),
    "done": noted("done"),
    "failed": noted("could not be done"),
    "stopped": noted("stopped"),
    "cut off": noted("was interrupted"),
}
STAGES = {
    1: noted("training"),
    2: noted("drawing the glyphs"),
    3: noted("checking every glyph"),
    4: noted("tracing the outlines"),
    5: noted("building the font"),
}
INK = {
    "sheet": noted("Sheet for {char}. Write with a pen, a finger or the mouse."),
    "tools": noted("Tools"),
    "pen": noted("Pen (P)"),
    "eraser": noted("Eraser (E)"),
    "width": noted("Width of the line ([ and ])"),
    "units": noted("{units} units"),
    "undo": noted("Undo (Ctrl+Z)"),
    "redo": noted("Redo (Ctrl+Shift+Z)"),
    "clear": noted("Clear all strokes"),
    "ghost": noted("Show the source's glyph"),
    "save": noted("Save"),
    "saving": noted("Saving {char} …"),
    "saved": noted("Saved {char}."),
    "unsaved": noted("{char} has changes that are not saved."),
    "restored": noted("Strokes of {char} that were not saved are back."),
    "notSaved": noted("{char} is not saved: {error}"),
    "notLoaded": noted("Not loaded: {error}"),
    "notKept": noted("This browser keeps no unsaved strokes: {error}"),
    "full": noted("A character takes no more strokes than these."),
}
# What ``fontgan scan`` doubts of a cell, in its own words.
DOUBTS = [
    noted("crossed out or scribbled over"),
    noted("something lies over it"),
    noted("it reaches beyond the picture"),
    noted("faint ink"),
    noted("in shadow or blotted"),
    noted("very little ink"),
    noted("ink reaches the edge of its cell"),
]
BASELINES = {
    "copy_source": noted("the source"),
    "blank_page": noted("a blank page"),
    "mean_glyph": noted("the mean glyph"),
}
KINDS = [noted("sans"), noted("song"), noted("kai"), noted("round")]  # of the fonts of the shelf
FACTS = [
    noted("Family"), noted("Style"), noted("Version"), noted("Copyright"), noted("Licence"), noted("Licence at"),
    noted("Note"), noted("Designer"), noted("Glyphs"), noted("Units per em"), noted("Above and below the baseline"),
]  # fmt: skip
