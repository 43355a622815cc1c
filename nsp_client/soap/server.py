"""What a SOAP server checks before it looks at the body, and how it refuses.

Source: IHE ITI TF-2 appendix V.3.2 (WS-Addressing in web services); SOAP 1.2 part
1 section 5.2.3 (mustUnderstand).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from nsp_client.errors import Actor, DgwsFaultCode, NspError
from nsp_client.soap.envelope import (
    WSA_2004_NS,
    WSA_NS,
    Envelope,
    SoapVersion,
    blocks_not_understood,
    is_anonymous,
)
from nsp_client.soap.faults import FaultRole, FaultSubcode, fault_envelope, fault_status

_ADDRESSING: Final = frozenset({(WSA_NS, "*"), (WSA_2004_NS, "*")})


class RequestRefused(NspError):
    """A request that is answered with a SOAP fault.

    Attributes:
        role, subcode, dgws_code: what the fault says.
        text: readable, without anything of the request's content.
    """

    code: str = "SOAP-REQUEST-REFUSED"
    actor: Actor = "peer"

    def __init__(
        self,
        role: FaultRole,
        text: str,
        *,
        subcode: FaultSubcode | None = None,
        dgws_code: DgwsFaultCode | str | None = None,
    ) -> None:
        super().__init__(text)
        self.role = role
        self.text = text
        self.subcode = subcode
        self.dgws_code = dgws_code

    def as_envelope(self, version: SoapVersion, header_blocks: bytes = b"") -> bytes:
        """Write the fault as a whole envelope."""
        return fault_envelope(
            version,
            self.role,
            self.text,
            header_blocks=header_blocks,
            subcode=self.subcode,
            dgws_code=self.dgws_code,
        )

    def http_status(self, version: SoapVersion) -> int:
        """HTTP status that goes with the fault."""
        return fault_status(version, self.role)


def check_request(
    envelope: Envelope,
    *,
    actions: Collection[str],
    understood: Collection[tuple[str, str]] = (),
    http_action: str | None = None,
    addressing_required: bool = False,
) -> None:
    """Check the header blocks of a request that any service has to look at.

    Args:
        actions: values of ``wsa:Action`` served here.
        understood: header blocks that are handled here (namespace, local name or
            ``*``); those of WS-Addressing need not be named.
        http_action: SOAPAction header or ``action`` parameter, if there was one;
            quotes around it do not matter, and an empty one says nothing.
        addressing_required: refuse a request without action or message id; Danish
            readers leave both out.

    Raises:
        RequestRefused: with the fault that the standards name.
    """
    missed = blocks_not_understood(envelope, _ADDRESSING | frozenset(understood))
    if missed:
        names = ", ".join(local for _, local in missed)
        raise RequestRefused(FaultRole.MUST_UNDERSTAND, f"header block not understood: {names}")
    if addressing_required and not (envelope.action and envelope.message_id):
        raise RequestRefused(
            FaultRole.SENDER,
            "wsa:Action and wsa:MessageID are required",
            subcode=FaultSubcode.ADDRESSING_HEADER_REQUIRED,
        )
    if envelope.action is not None and envelope.action not in actions:
        raise RequestRefused(
            FaultRole.SENDER,
            "this action is not served here",
            subcode=FaultSubcode.ACTION_NOT_SUPPORTED,
        )
    stated = (http_action or "").strip().strip('"')
    if stated and envelope.action is not None and stated != envelope.action:
        raise RequestRefused(
            FaultRole.SENDER,
            "the HTTP action differs from wsa:Action",
            subcode=FaultSubcode.INVALID_ADDRESSING_HEADER,
        )
    if not is_anonymous(envelope.reply_to):
        raise RequestRefused(
            FaultRole.SENDER,
            "answers go back on the same connection only",
            subcode=FaultSubcode.ONLY_ANONYMOUS_ADDRESS,
        )
