-- An import of members can be taken back: its lines are gone through once more, and again if the
-- accounts that it created and nobody used are deleted as well. Of a line, `undo` says what became
-- of the access that it gave, and `account` what became of the account that it created.
alter table member_imports
    add column undo_accounts boolean not null default false,
    add column undone_by bigint references users on delete set null,
    add column undo_started_at timestamptz,
    add column undone_at timestamptz,
    add column undo_figures jsonb,
    drop constraint member_imports_state_check,
    add constraint member_imports_state_check check (state in
        ('columns', 'plans', 'checking', 'ready', 'running', 'done', 'mailing', 'undoing',
         'deleting', 'undone'));

alter table member_import_lines
    add column undo text,
    add column account text;
