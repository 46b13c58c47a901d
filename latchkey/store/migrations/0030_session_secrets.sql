-- A session ends with the secret that it began under. Sessions of earlier releases have none.
alter table sessions add column secret_fingerprint bytea;
