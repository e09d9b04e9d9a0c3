alter table execution add column refusal_before text;
