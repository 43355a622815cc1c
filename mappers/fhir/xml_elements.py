"""The elements of FHIR R4 in their order, for the resources of a note's document.

What FHIR JSON writes as a name, XML writes as a place in a sequence; and only a
table tells whether an element repeats and whether its value is a number. The table
holds the whole of each type, so that a document from elsewhere is read with
all it has, also with what a note does not carry.

Source: FHIR R4 (4.0.1), StructureDefinitions of the resources and of every data
type that they can hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

FHIR: Final = "http://hl7.org/fhir"
RESOURCE: Final = "Resource"
"""The type of an element that holds one resource of any type."""
XHTML: Final = "xhtml"
ATTRIBUTE: Final = "attribute"
"""The type of ``Element.id`` and ``Extension.url``: attributes in XML."""

RESOURCE_TYPES: Final = (
    "Bundle",
    "Composition",
    "Observation",
    "Patient",
    "Organization",
    "Practitioner",
    "PractitionerRole",
)


@dataclass(frozen=True, slots=True)
class Member:
    """One element of a type: its name, its place in the order, its type, whether it repeats."""

    name: str
    rank: int
    kind: str
    many: bool


_BASES: Final = MappingProxyType(
    {
        "Element": "id:attribute extension:Extension*",
        "BackboneElement": "id:attribute extension:Extension* modifierExtension:Extension*",
        "Resource": "id:id meta:Meta implicitRules:uri language:code",
        "DomainResource": (
            "id:id meta:Meta implicitRules:uri language:code text:Narrative contained:Resource*"
            " extension:Extension* modifierExtension:Extension*"
        ),
    }
)

# Base type, then the elements in order: name, type, * if it repeats; [x] for a choice.
_TYPES: Final = MappingProxyType(
    {
        "Bundle": (
            "Resource > identifier:Identifier type:code timestamp:instant total:unsignedInt "
            "link:Bundle.link* entry:Bundle.entry* signature:Signature"
        ),
        "Bundle.link": "BackboneElement > relation:string url:uri",
        "Bundle.entry": (
            "BackboneElement > link:Bundle.link* fullUrl:uri resource:Resource "
            "search:Bundle.entry.search request:Bundle.entry.request response:Bundle.entry.response"
        ),
        "Bundle.entry.search": "BackboneElement > mode:code score:decimal",
        "Bundle.entry.request": (
            "BackboneElement > method:code url:uri ifNoneMatch:string ifModifiedSince:instant "
            "ifMatch:string ifNoneExist:string"
        ),
        "Bundle.entry.response": (
            "BackboneElement > status:string location:uri etag:string lastModified:instant "
            "outcome:Resource"
        ),
        "Composition": (
            "DomainResource > identifier:Identifier status:code type:CodeableConcept "
            "category:CodeableConcept* subject:Reference encounter:Reference date:dateTime "
            "author:Reference* title:string confidentiality:code attester:Composition.attester* "
            "custodian:Reference relatesTo:Composition.relatesTo* event:Composition.event* "
            "section:Composition.section*"
        ),
        "Composition.attester": "BackboneElement > mode:code time:dateTime party:Reference",
        "Composition.relatesTo": "BackboneElement > code:code target[x]:Identifier|Reference",
        "Composition.event": (
            "BackboneElement > code:CodeableConcept* period:Period detail:Reference*"
        ),
        "Composition.section": (
            "BackboneElement > title:string code:CodeableConcept author:Reference* focus:Reference "
            "text:Narrative mode:code orderedBy:CodeableConcept entry:Reference* "
            "emptyReason:CodeableConcept section:Composition.section*"
        ),
        "Observation": (
            "DomainResource > identifier:Identifier* basedOn:Reference* partOf:Reference* "
            "status:code category:CodeableConcept* code:CodeableConcept subject:Reference "
            "focus:Reference* encounter:Reference effective[x]:dateTime|Period|Timing|instant "
            "issued:instant performer:Reference* "
            "value[x]:Quantity|CodeableConcept|string|boolean|integer|Range|Ratio|SampledData|"
            "time|dateTime|Period "
            "dataAbsentReason:CodeableConcept interpretation:CodeableConcept* note:Annotation* "
            "bodySite:CodeableConcept method:CodeableConcept specimen:Reference device:Reference "
            "referenceRange:Observation.referenceRange* hasMember:Reference* "
            "derivedFrom:Reference* "
            "component:Observation.component*"
        ),
        "Observation.referenceRange": (
            "BackboneElement > low:Quantity high:Quantity type:CodeableConcept "
            "appliesTo:CodeableConcept* age:Range text:string"
        ),
        "Observation.component": (
            "BackboneElement > code:CodeableConcept "
            "value[x]:Quantity|CodeableConcept|string|boolean|integer|Range|Ratio|SampledData|"
            "time|dateTime|Period "
            "dataAbsentReason:CodeableConcept interpretation:CodeableConcept* "
            "referenceRange:Observation.referenceRange*"
        ),
        "Patient": (
            "DomainResource > identifier:Identifier* active:boolean name:HumanName* "
            "telecom:ContactPoint* gender:code birthDate:date deceased[x]:boolean|dateTime "
            "address:Address* maritalStatus:CodeableConcept multipleBirth[x]:boolean|integer "
            "photo:Attachment* contact:Patient.contact* communication:Patient.communication* "
            "generalPractitioner:Reference* managingOrganization:Reference link:Patient.link*"
        ),
        "Patient.contact": (
            "BackboneElement > relationship:CodeableConcept* name:HumanName telecom:ContactPoint* "
            "address:Address gender:code organization:Reference period:Period"
        ),
        "Patient.communication": "BackboneElement > language:CodeableConcept preferred:boolean",
        "Patient.link": "BackboneElement > other:Reference type:code",
        "Organization": (
            "DomainResource > identifier:Identifier* active:boolean type:CodeableConcept* "
            "name:string alias:string* telecom:ContactPoint* address:Address* partOf:Reference "
            "contact:Organization.contact* endpoint:Reference*"
        ),
        "Organization.contact": (
            "BackboneElement > purpose:CodeableConcept name:HumanName telecom:ContactPoint* "
            "address:Address"
        ),
        "Practitioner": (
            "DomainResource > identifier:Identifier* active:boolean name:HumanName* "
            "telecom:ContactPoint* address:Address* gender:code birthDate:date photo:Attachment* "
            "qualification:Practitioner.qualification* communication:CodeableConcept*"
        ),
        "Practitioner.qualification": (
            "BackboneElement > identifier:Identifier* code:CodeableConcept period:Period "
            "issuer:Reference"
        ),
        "PractitionerRole": (
            "DomainResource > identifier:Identifier* active:boolean period:Period "
            "practitioner:Reference organization:Reference code:CodeableConcept* "
            "specialty:CodeableConcept* location:Reference* healthcareService:Reference* "
            "telecom:ContactPoint* availableTime:PractitionerRole.availableTime* "
            "notAvailable:PractitionerRole.notAvailable* availabilityExceptions:string "
            "endpoint:Reference*"
        ),
        "PractitionerRole.availableTime": (
            "BackboneElement > daysOfWeek:code* allDay:boolean availableStartTime:time "
            "availableEndTime:time"
        ),
        "PractitionerRole.notAvailable": "BackboneElement > description:string during:Period",
        "Element": "Element >",
        "Address": (
            "Element > use:code type:code text:string line:string* city:string district:string "
            "state:string postalCode:string country:string period:Period"
        ),
        "Age": "Element > value:decimal comparator:code unit:string system:uri code:code",
        "Annotation": "Element > author[x]:Reference|string time:dateTime text:markdown",
        "Attachment": (
            "Element > contentType:code language:code data:base64Binary url:url size:unsignedInt "
            "hash:base64Binary title:string creation:dateTime"
        ),
        "CodeableConcept": "Element > coding:Coding* text:string",
        "Coding": (
            "Element > system:uri version:string code:code display:string userSelected:boolean"
        ),
        "ContactDetail": "Element > name:string telecom:ContactPoint*",
        "ContactPoint": (
            "Element > system:code value:string use:code rank:positiveInt period:Period"
        ),
        "Contributor": "Element > type:code name:string contact:ContactDetail*",
        "Count": "Element > value:decimal comparator:code unit:string system:uri code:code",
        "DataRequirement": (
            "Element > type:code profile:canonical* subject[x]:CodeableConcept|Reference "
            "mustSupport:string* codeFilter:DataRequirement.codeFilter* "
            "dateFilter:DataRequirement.dateFilter* limit:positiveInt sort:DataRequirement.sort*"
        ),
        "DataRequirement.codeFilter": (
            "Element > path:string searchParam:string valueSet:canonical code:Coding*"
        ),
        "DataRequirement.dateFilter": (
            "Element > path:string searchParam:string value[x]:dateTime|Period|Duration"
        ),
        "DataRequirement.sort": "Element > path:string direction:code",
        "Distance": "Element > value:decimal comparator:code unit:string system:uri code:code",
        "Dosage": (
            "BackboneElement > sequence:integer text:string additionalInstruction:CodeableConcept* "
            "patientInstruction:string timing:Timing asNeeded[x]:boolean|CodeableConcept "
            "site:CodeableConcept route:CodeableConcept method:CodeableConcept "
            "doseAndRate:Dosage.doseAndRate* maxDosePerPeriod:Ratio "
            "maxDosePerAdministration:Quantity maxDosePerLifetime:Quantity"
        ),
        "Dosage.doseAndRate": (
            "Element > type:CodeableConcept dose[x]:Range|Quantity rate[x]:Ratio|Range|Quantity"
        ),
        "Duration": "Element > value:decimal comparator:code unit:string system:uri code:code",
        "Expression": (
            "Element > description:string name:id language:code expression:string reference:uri"
        ),
        "Extension": (
            "Element > url:attribute "
            "value[x]:base64Binary|boolean|canonical|code|date|dateTime|decimal|id|instant|"
            "integer|markdown|oid|positiveInt|string|time|unsignedInt|uri|url|uuid|Address|Age|"
            "Annotation|Attachment|CodeableConcept|Coding|ContactPoint|Count|Distance|Duration|"
            "HumanName|Identifier|Money|Period|Quantity|Range|Ratio|Reference|SampledData|"
            "Signature|Timing|ContactDetail|Contributor|DataRequirement|Expression|"
            "ParameterDefinition|RelatedArtifact|TriggerDefinition|UsageContext|Dosage|Meta"
        ),
        "HumanName": (
            "Element > use:code text:string family:string given:string* prefix:string* "
            "suffix:string* period:Period"
        ),
        "Identifier": (
            "Element > use:code type:CodeableConcept system:uri value:string period:Period "
            "assigner:Reference"
        ),
        "Meta": (
            "Element > versionId:id lastUpdated:instant source:uri profile:canonical* "
            "security:Coding* tag:Coding*"
        ),
        "Money": "Element > value:decimal currency:code",
        "Narrative": "Element > status:code div:xhtml",
        "ParameterDefinition": (
            "Element > name:code use:code min:integer max:string documentation:string type:code "
            "profile:canonical"
        ),
        "Period": "Element > start:dateTime end:dateTime",
        "Quantity": "Element > value:decimal comparator:code unit:string system:uri code:code",
        "Range": "Element > low:Quantity high:Quantity",
        "Ratio": "Element > numerator:Quantity denominator:Quantity",
        "Reference": "Element > reference:string type:uri identifier:Identifier display:string",
        "RelatedArtifact": (
            "Element > type:code label:string display:string citation:markdown url:url "
            "document:Attachment resource:canonical"
        ),
        "SampledData": (
            "Element > origin:Quantity period:decimal factor:decimal lowerLimit:decimal "
            "upperLimit:decimal dimensions:positiveInt data:string"
        ),
        "Signature": (
            "Element > type:Coding* when:instant who:Reference onBehalfOf:Reference "
            "targetFormat:code sigFormat:code data:base64Binary"
        ),
        "Timing": "BackboneElement > event:dateTime* repeat:Timing.repeat code:CodeableConcept",
        "Timing.repeat": (
            "Element > bounds[x]:Duration|Range|Period count:positiveInt countMax:positiveInt "
            "duration:decimal durationMax:decimal durationUnit:code frequency:positiveInt "
            "frequencyMax:positiveInt period:decimal periodMax:decimal periodUnit:code "
            "dayOfWeek:code* timeOfDay:time* when:code* offset:unsignedInt"
        ),
        "TriggerDefinition": (
            "Element > type:code name:string timing[x]:Timing|Reference|date|dateTime "
            "data:DataRequirement* condition:Expression"
        ),
        "UsageContext": "Element > code:Coding value[x]:CodeableConcept|Quantity|Range|Reference",
    }
)


def _members(definition: str) -> MappingProxyType[str, Member]:
    base, _, own = definition.partition(" >")
    members: dict[str, Member] = {}
    for token in (*_BASES[base].split(), *own.split()):
        name, _, kind = token.partition(":")
        many = kind.endswith("*")
        for each in kind.removesuffix("*").split("|"):
            written = name
            if name.endswith("[x]"):
                written = name.removesuffix("[x]") + each[0].upper() + each[1:]
            members[written] = Member(written, len(members), each, many)
    return MappingProxyType(members)


MEMBERS: Final = MappingProxyType({kind: _members(text) for kind, text in _TYPES.items()})
"""The elements of each type by name; a part of a type is named by its path."""
PRIMITIVES: Final = frozenset(
    member.kind for members in MEMBERS.values() for member in members.values()
) - {*MEMBERS, ATTRIBUTE, RESOURCE, XHTML}
"""The types whose value stands in the attribute ``value``."""
