-- The subset of SQL that SQLite and PostgreSQL share. Times are milliseconds since 1970.

create table rollout (
    id text primary key,
    plan text not null,
    state text not null,
    paused_by text,
    ring integer not null,
    created_at bigint not null,
    created_by text not null,
    started_at bigint,
    ended_at bigint,
    why text not null,
    goes_back boolean not null,
    row_version bigint not null
);

create table execution (
    rollout text not null references rollout (id),
    device text not null,
    ring integer not null,
    state text not null,
    since bigint not null,
    deadline bigint,
    ordered_at bigint,
    attempts integer not null,
    order_number bigint not null,
    version_before text,
    failure_before text,
    code text,
    detail text not null,
    proved_at bigint,
    went_back boolean not null,
    row_version bigint not null,
    primary key (rollout, device)
);

create index execution_by_state on execution (rollout, state);

create index execution_by_order on execution (rollout, ordered_at);

-- Kept beside the rows, since counting them takes long where there are millions.
create table ring_count (
    rollout text not null references rollout (id),
    ring integer not null,
    state text not null,
    devices bigint not null,
    primary key (rollout, ring, state)
);

create table rollout_event (
    rollout text not null references rollout (id),
    number bigint not null,
    at bigint not null,
    kind text not null,
    says text not null,
    primary key (rollout, number)
);

create table device_label (
    device text not null,
    name text not null,
    value text not null,
    primary key (device, name)
);
