"""What can go wrong between us and a national service, who acts, whether to try again.

One root, :class:`NspError`. Every error states ``code`` (stable, public),
``retry`` and ``actor``; for DGWS faults and registry errors the three follow
from the code the peer sent (:mod:`nsp_client.fault_codes`). Messages carry codes and
places; civil registration numbers in a peer's text are masked.

Source: Den Gode Webservice 1.0.1, fault codes; WS-Trust 2005/02 faults of the
STS; IHE ITI TF-3 table 4.2.4.1-2, error codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nsp_client.fault_codes import (
    BOUNDED_RETRY_CODES,
    DGWS_FAULTS,
    RETRYABLE_REGISTRY_CODES,
    SEVERITY_ERROR,
    SEVERITY_WARNING,
    STS_RETRYABLE_TEXTS,
    Actor,
    DgwsFaultCode,
    RegistryErrorCode,
    Retry,
    StsFaultCode,
    dgws_fault_code,
)
from nsp_client.masking import mask_cprs


class NspError(Exception):
    """Root of everything this package raises on purpose."""

    code: str = "NSP"
    retry: Retry = "no"
    actor: Actor = "operator"


class InvalidIdentifier(NspError, ValueError):
    """A value does not have the form its kind demands; the value itself is not repeated."""

    code: str = "IDENTIFIER-INVALID"
    actor: Actor = "sender"

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"{kind}: {reason}")
        self.kind = kind
        self.reason = reason


class InvalidMetadata(NspError, ValueError):
    """A metadata record breaks a rule; nothing was written or sent.

    Attributes:
        attribute: the attribute at fault, in the standard's spelling.
    """

    code: str = "METADATA-INVALID"
    actor: Actor = "developer"

    def __init__(self, attribute: str, reason: str) -> None:
        super().__init__(f"{attribute}: {mask_cprs(reason)}")
        self.attribute = attribute
        self.reason = reason


class NoAnswer(NspError):
    """No usable answer came: the outcome is unknown, look it up before sending anew.

    Attributes:
        sent: False when no byte of the request can have left; None when not known.
        status: the HTTP status when the peer answered without a message of its own.
    """

    code: str = "NO-ANSWER"
    retry: Retry = "later"
    actor: Actor = "peer"

    def __init__(self, reason: str, *, sent: bool | None = None, status: int | None = None) -> None:
        super().__init__(mask_cprs(reason))
        self.sent = sent
        self.status = status


class HttpRefusal(NspError):
    """The peer refused at the HTTP level, without a message of the service's own.

    Attributes:
        status: the HTTP status, for instance 403, 404 or 413.
    """

    code: str = "HTTP-REFUSED"

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(f"HTTP {status} {mask_cprs(reason)}".rstrip())
        self.status = status


class MalformedMessage(NspError):
    """Bytes that are not what the protocol says they should be."""

    code: str = "MESSAGE-MALFORMED"
    actor: Actor = "peer"

    def __init__(self, reason: str) -> None:
        super().__init__(mask_cprs(reason))


class MessageTooLarge(MalformedMessage):
    """A message beyond a limit of ours."""

    code: str = "MESSAGE-TOO-LARGE"


class UntrustedSignature(NspError):
    """A signature, card or certificate that failed a check; one family for all of them."""

    code: str = "SIGNATURE-UNTRUSTED"


class SoapFault(NspError):
    """A SOAP fault that no more special class describes.

    Attributes:
        faultcode: as written, prefix and all (``soap:Server``, ``env:Receiver``).
        text: the readable text, civil registration numbers masked.
    """

    code: str = "SOAP-FAULT"
    actor: Actor = "peer"

    def __init__(self, faultcode: str, text: str = "", *, detail: str = "") -> None:
        self.faultcode = faultcode
        self.text = mask_cprs(text)
        self.detail = detail
        super().__init__(f"{faultcode}: {self.text}")


class DgwsFault(SoapFault):
    """A fault with a ``medcom:FaultCode``; retry and actor follow from the code.

    Attributes:
        fault_code: the wire spelling.
        known: the code as enum, or None for one of the service's own, which is
            never retried.
    """

    code: str = "DGWS-FAULT"

    def __init__(self, fault_code: str, text: str = "", *, faultcode: str = "Server") -> None:
        super().__init__(faultcode, text)
        self.fault_code = fault_code
        self.known = dgws_fault_code(fault_code)
        if self.known is None:
            self.retry, self.actor = "no", "operator"
        else:
            self.retry, self.actor = DGWS_FAULTS[self.known]
        self.args = (f"{fault_code}: {self.text}",)


class StsFault(SoapFault):
    """A fault of the token service, which arrives with HTTP status 200.

    Attributes:
        fault_actor: ``dk:sosi:sts:…``, or an empty string.
        known: the code as enum, or None.
    """

    code: str = "STS-FAULT"
    actor: Actor = "operator"

    def __init__(self, faultcode: str, text: str = "", actor: str = "") -> None:
        super().__init__(faultcode, text)
        self.fault_actor = actor
        local = faultcode.rpartition(":")[2]
        self.known = next((code for code in StsFaultCode if code.value == local), None)
        if text.startswith(STS_RETRYABLE_TEXTS):
            self.retry = "later"
            self.actor = "peer"


@dataclass(frozen=True, slots=True)
class RegistryError:
    """One line of a registry's error list; an error or a warning.

    Attributes:
        code: wire spelling, possibly one that :class:`RegistryErrorCode` lacks.
        context: text of the peer; may name a patient, so not for the log as it is.
        location: object at fault; in ITI-43 the document's unique id.
        is_warning: True only when the severity is the warning URI.
    """

    code: str
    context: str = ""
    location: str | None = None
    is_warning: bool = False

    @property
    def retry(self) -> Retry:
        return "later" if self.code in RETRYABLE_REGISTRY_CODES else "no"


class RegistryRefusal(NspError):
    """A registry or repository said Failure; nothing of the submission was kept.

    ``retry`` is ``later`` only when every error is one of load or inner trouble.

    Attributes:
        errors: the errors (no warnings), in the order given.
    """

    code: str = "REGISTRY-REFUSED"

    def __init__(self, errors: Sequence[RegistryError]) -> None:
        self.errors = tuple(error for error in errors if not error.is_warning)
        super().__init__(
            "; ".join(f"{error.code} ({mask_cprs(error.context)})" for error in self.errors)
            or "Failure without an error"
        )
        if self.errors and all(error.retry == "later" for error in self.errors):
            self.retry = "later"
            self.actor = "peer"

    @property
    def error_code(self) -> str:
        """The first error's code, or an empty string."""
        return self.errors[0].code if self.errors else ""

    @property
    def context(self) -> str:
        """The first error's text, as the peer wrote it."""
        return self.errors[0].context if self.errors else ""


__all__ = [
    "BOUNDED_RETRY_CODES",
    "DGWS_FAULTS",
    "RETRYABLE_REGISTRY_CODES",
    "SEVERITY_ERROR",
    "SEVERITY_WARNING",
    "STS_RETRYABLE_TEXTS",
    "Actor",
    "DgwsFault",
    "DgwsFaultCode",
    "HttpRefusal",
    "InvalidIdentifier",
    "InvalidMetadata",
    "MalformedMessage",
    "MessageTooLarge",
    "NoAnswer",
    "NspError",
    "RegistryError",
    "RegistryErrorCode",
    "RegistryRefusal",
    "Retry",
    "SoapFault",
    "StsFault",
    "StsFaultCode",
    "UntrustedSignature",
]
