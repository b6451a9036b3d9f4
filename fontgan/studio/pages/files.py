"""Files of the project that its pages show or that are downloaded; none outside of it, and none of other kinds."""

import io
import zipfile
from pathlib import Path
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from fontgan.runtime.file_names import is_of_the_system
from fontgan.studio.app import Answer, Visit

# What may be read, and as what it is sent.
KINDS = {
    ".png": "image/png", ".ttf": "font/ttf", ".otf": "font/otf", ".woff2": "font/woff2", ".pdf": "application/pdf",
    ".html": "text/html; charset=utf-8", ".txt": "text/plain; charset=utf-8", ".json": "application/json",
}  # fmt: skip
# The proof page carries its styles and script inside, and names their hashes in a policy of its own.
PROOF_POLICY = "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; sandbox allow-scripts"


def send(visit: Visit) -> Response:
    file = inside(visit, str(visit.request.path_params["path"]))
    kind = KINDS.get(file.suffix.lower())
    if kind is None or not file.is_file():
        raise HTTPException(404, "There is no such file.")
    headers = {"Content-Security-Policy": PROOF_POLICY} if file.suffix == ".html" else {}
    if "download" in visit.request.query_params:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(file.name)}"
    return FileResponse(file, media_type=kind, headers=headers)


def inside(visit: Visit, path: str) -> Path:
    """A path of the project. Raises: HTTPException for what leads out of it, also by links, or is hidden."""
    folder = visit.project.folder.resolve()
    try:
        file = (folder / path).resolve()
        file.is_file()
    except (OSError, ValueError) as error:  # a name that no file can have
        raise HTTPException(404, "There is no such file.") from error
    if not file.is_relative_to(folder) or any(part.startswith(".") for part in file.relative_to(folder).parts):
        raise HTTPException(404, "There is no such file.")
    return file


def send_ufo(visit: Visit) -> Response:
    """The outlines of the work folder, packed."""
    work = visit.project.work
    inside = (file for ufo in ("outlines.ufo", "own.ufo") for file in sorted((work / ufo).rglob("*")))
    files = [file for file in inside if file.is_file() and not is_of_the_system(file.name)]
    if not files:
        raise HTTPException(404, "There are no outlines yet.")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.relative_to(work).as_posix())
    name = quote(f"{visit.project.name}.ufo.zip")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(packed.getvalue(), media_type="application/zip", headers=headers)


ROUTES: list[tuple[str, Answer, str]] = [
    ("/file/{path:path}", send, "GET"),
    ("/ufo", send_ufo, "GET"),
]
