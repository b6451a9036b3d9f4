"""The choice of a language, which a cookie keeps."""

from starlette.responses import Response

from fontgan.studio.app import LANGUAGE, Answer, Visit
from fontgan.studio.texts import NAMES


def choose(visit: Visit) -> Response:
    answer = visit.back("/")
    if (wanted := visit.field("language")) in NAMES:
        answer.set_cookie(LANGUAGE, wanted, max_age=365 * 86_400, samesite="strict")
    return answer


ROUTES: list[tuple[str, Answer, str]] = [("/language", choose, "POST")]
