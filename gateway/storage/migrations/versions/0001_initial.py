"""The gateway's own tables, and the role that uses them and owns nothing.

Revision ID: 0001
Source: design.md section 2 (storage, keys, audit).
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE practice (
    id uuid PRIMARY KEY,
    sor_code text NOT NULL UNIQUE,
    provider_number text NOT NULL,
    name text NOT NULL,
    enrolled boolean NOT NULL,
    sharing_start timestamptz NOT NULL,
    share_history boolean NOT NULL,
    jwks jsonb NOT NULL,
    enrolled_at timestamptz NOT NULL
);

-- One row per jti that a practice has used; a second use is a replay.
CREATE TABLE used_assertion (
    practice_id uuid NOT NULL REFERENCES practice (id),
    jti text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (practice_id, jti)
);

CREATE TABLE patient (
    id uuid PRIMARY KEY,
    cpr_hash bytea NOT NULL UNIQUE,
    wrapped_key bytea,
    sealed_cpr bytea NOT NULL,
    birth_date date,
    death_date date,
    name_protected boolean,
    facts_at timestamptz
);

CREATE TABLE note (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice (id),
    source_note_id text NOT NULL,
    patient_id uuid NOT NULL REFERENCES patient (id),
    newest_version integer NOT NULL,
    markings jsonb NOT NULL,
    markings_revision integer NOT NULL,
    withdrawn_at timestamptz,
    next_due_at timestamptz,
    UNIQUE (practice_id, source_note_id)
);
CREATE INDEX note_patient_idx ON note (patient_id);
CREATE INDEX note_due_idx ON note (next_due_at) WHERE next_due_at IS NOT NULL;

CREATE TABLE note_version (
    note_id uuid NOT NULL REFERENCES note (id),
    version integer NOT NULL,
    receipt_id uuid NOT NULL UNIQUE,
    content_sha256 bytea NOT NULL,
    content_mac bytea NOT NULL,
    received_at timestamptz NOT NULL,
    state text NOT NULL,
    facts jsonb NOT NULL,
    warnings jsonb NOT NULL,
    wrapped_key bytea,
    sealed_note bytea,
    PRIMARY KEY (note_id, version)
);
CREATE INDEX note_version_open_idx ON note_version (received_at)
    WHERE state IN ('received', 'withdrawn');

CREATE TABLE document (
    note_id uuid NOT NULL,
    version integer NOT NULL,
    generation integer NOT NULL,
    unique_id text NOT NULL UNIQUE,
    entry_uuid uuid NOT NULL UNIQUE,
    media_type text NOT NULL,
    assembled_at timestamptz NOT NULL,
    name_protected boolean NOT NULL,
    sha1 bytea NOT NULL,
    sha256 bytea NOT NULL,
    size_bytes integer NOT NULL,
    signing_key text NOT NULL,
    is_offered boolean NOT NULL DEFAULT false,  -- its id may be known to the national registry
    sealed_document bytea,
    sealed_signature bytea,
    PRIMARY KEY (note_id, version, generation),
    FOREIGN KEY (note_id, version) REFERENCES note_version (note_id, version)
);

-- Sealed values do not compress: keep the server from trying.
ALTER TABLE note_version ALTER COLUMN sealed_note SET STORAGE EXTERNAL;
ALTER TABLE document ALTER COLUMN sealed_document SET STORAGE EXTERNAL;
ALTER TABLE document ALTER COLUMN sealed_signature SET STORAGE EXTERNAL;

-- One row per version: destination -> {decision, code, until}.
CREATE TABLE publication (
    note_id uuid NOT NULL,
    version integer NOT NULL,
    decisions jsonb NOT NULL,
    decided_at timestamptz NOT NULL,
    rules text NOT NULL,
    PRIMARY KEY (note_id, version),
    FOREIGN KEY (note_id, version) REFERENCES note_version (note_id, version)
);

CREATE TABLE delivery (
    note_id uuid NOT NULL REFERENCES note (id),
    destination text NOT NULL,
    state text NOT NULL,
    wanted_version integer,
    current_version integer,
    current_generation integer,
    current_entry_uuid uuid,
    operation text,
    operation_id uuid,
    operation_version integer,
    operation_generation integer,
    operation_at timestamptz,
    message_number integer NOT NULL,
    is_doubtful boolean NOT NULL,
    attempts integer NOT NULL,
    next_attempt_at timestamptz,
    last_code text,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (note_id, destination)
);
CREATE INDEX delivery_due_idx ON delivery (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

CREATE TABLE feed_state (
    actor_id uuid NOT NULL,
    patient_id uuid NOT NULL,
    last_seq bigint NOT NULL,
    PRIMARY KEY (actor_id, patient_id)
);

CREATE TABLE feed_item (
    actor_id uuid NOT NULL,
    patient_id uuid NOT NULL,
    note_id uuid NOT NULL,
    version integer NOT NULL,
    generation integer NOT NULL,
    seq bigint NOT NULL,
    removed boolean NOT NULL,
    PRIMARY KEY (actor_id, patient_id, note_id)
);
CREATE INDEX feed_item_seq_idx ON feed_item (actor_id, patient_id, seq);

CREATE TABLE audit_entry (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry_id uuid NOT NULL UNIQUE,
    at timestamptz NOT NULL,
    action text NOT NULL,
    patient_id uuid,
    practice_id uuid,
    actor text,
    body bytea NOT NULL
);
CREATE INDEX audit_entry_patient_idx ON audit_entry (patient_id, seq DESC)
    WHERE patient_id IS NOT NULL;

CREATE TABLE audit_pending (seq bigint PRIMARY KEY);

-- However an entry is written, the sealer will find it.
CREATE FUNCTION audit_await_seal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_pending SELECT seq FROM added;
    RETURN NULL;
END
$$;
CREATE TRIGGER audit_await_seal AFTER INSERT ON audit_entry
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION audit_await_seal();

CREATE TABLE audit_leaf (
    leaf_index bigint PRIMARY KEY,
    seq bigint NOT NULL UNIQUE REFERENCES audit_entry (seq),
    leaf_hash bytea NOT NULL
);

CREATE TABLE audit_head (
    tree_size bigint PRIMARY KEY,
    root bytea NOT NULL,
    at timestamptz NOT NULL,
    frontier bytea NOT NULL,
    body bytea NOT NULL
);

CREATE TABLE person (
    id uuid PRIMARY KEY,
    sealed_cpr bytea NOT NULL
);
"""

# Nothing may alter or remove what the audit log holds, not even a bug of ours.
GRANTS = """
DO $$
BEGIN
    CREATE ROLE gateway_app LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;
GRANT USAGE ON SCHEMA public TO gateway_app;
GRANT SELECT, INSERT, UPDATE ON
    practice, patient, note, note_version, document, publication, delivery,
    feed_state, feed_item, person
    TO gateway_app;
GRANT SELECT, INSERT, DELETE ON used_assertion TO gateway_app;
GRANT SELECT, INSERT ON audit_entry, audit_leaf, audit_head TO gateway_app;
GRANT SELECT, INSERT, DELETE ON audit_pending TO gateway_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO gateway_app;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(GRANTS)


def downgrade() -> None:
    raise NotImplementedError("the first revision holds the audit log; it is not taken back")
