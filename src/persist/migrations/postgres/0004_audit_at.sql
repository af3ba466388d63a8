-- Lines of the audit log that are too old are found by their time.
CREATE INDEX audit_at ON audit (at);
