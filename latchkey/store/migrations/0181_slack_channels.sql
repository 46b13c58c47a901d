-- Slack workspaces whose channels members have while they have access. `invite_url` is the link by
-- which people join the workspace, as an admin made it in Slack.
alter table webhook_endpoints
    drop constraint webhook_endpoints_format_check,
    add constraint webhook_endpoints_format_check check (
        format in ('json', 'slack', 'discord', 'digest', 'discord_roles', 'slack_channels'));

alter table communities add column invite_url text;
