"""What Azure DevOps says when it says no, also as faults for a request of any test."""

from collections.abc import Mapping

from tests.forges.faults import Fault, Response, reply


def refusal(status: int, key: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error as the server wraps it (the client's model WrappedException)."""
    value = {
        "$id": "1",
        "innerException": None,
        "message": message,
        "typeName": f"Microsoft.TeamFoundation.{key}, Microsoft.TeamFoundation",
        "typeKey": key,
        "errorCode": 0,
        "eventId": 3000,
    }
    return reply(status, value, headers)


def sign_in(status: int, url: str) -> Response:
    """How a token that is not known is refused: by an error, by a page to sign in on, or by the way to one."""
    if status == 302:
        return Response(status=302, headers={"Location": f"{url}/_signin", "Content-Type": "text/html"})
    if status == 401:
        return Response(status=401, headers={"WWW-Authenticate": "Bearer"})
    page = b"<!DOCTYPE html><html><head><title>Azure DevOps Services | Sign In</title></head></html>"
    return Response(status=status, headers={"Content-Type": "text/html; charset=utf-8"}, body=page)


def fault(response: Response, name: str) -> Fault:
    return Fault(act="answer", name=name, answer=response)


def sign_in_page() -> Fault:
    """203 with a page instead of an answer, as for a token that has expired."""
    return fault(sign_in(203, ""), "sign-in page")


def unauthorized() -> Fault:
    return fault(sign_in(401, ""), "401")


def throttled(*, retry_after: int | None = None, reset_at: int | None = None) -> Fault:
    """429 (docs: Rate and usage limits)."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if reset_at is not None:
        headers |= {"X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset_at)}
    message = "TF400733: The request has been canceled: Request was blocked due to exceeding usage of resource."
    return fault(refusal(429, "RequestBlockedException", message, headers), "429")


def unavailable(*, retry_after: int) -> Fault:
    response = refusal(503, "ServiceUnavailableException", "The service is unavailable.")
    return fault(Response(status=503, headers={"Retry-After": str(retry_after)}, body=response.body), "503")


def forbidden(permission: str = "PullRequestContribute") -> Fault:
    message = (
        f"TF401027: You need the Git '{permission}' permission to perform this action. Details: identity "
        "'Build\\0c9c', scope 'repository'."
    )
    return fault(refusal(403, "GitNeedsPermissionException", message), "403")


def hidden() -> Fault:
    message = (
        "TF401019: The Git repository with name or identifier gitops does not exist or you do not have permissions."
    )
    return fault(refusal(404, "GitRepositoryNotFoundException", message), "404")
