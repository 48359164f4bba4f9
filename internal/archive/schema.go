package archive

import "fmt"

// schema makes an empty database a ledger; what came later are additions. Names and UIDs are blobs: they need not be UTF-8.
var schema = fmt.Sprintf(`
pragma application_id = %d;
pragma user_version = %d;

create table meta (
	name text primary key,
	value
) without rowid;
insert into meta values ('clean', 0);

create table mailbox (
	id integer primary key,
	name blob not null unique,
	delim integer not null,
	role text not null,
	no_select integer not null,
	subscribed integer not null,
	dir text not null unique,
	guessed integer not null,
	cur integer not null default 0, -- modification time of cur/ in ns up to which the rows are true; 0: unknown
	new integer not null default 0,
	ran integer,                    -- when a run last went through it, Unix seconds
	gone integer not null default 0,     -- the source shows no such mailbox any more
	-- mail.Status at its last look that was complete; no validity: never
	validity integer not null default 0,
	next integer not null default 0,
	messages integer not null default 0,
	modseq integer not null default 0,
	status_id blob not null default ''
);

create table entry (
	id integer primary key autoincrement,
	key blob not null,
	mailbox integer not null references mailbox, -- the source's
	place integer not null references mailbox,   -- where the file lies; another one if it was moved
	sub integer not null,                        -- 0 in cur/, 1 in new/
	validity integer,                            -- null with uid: made again from the Maildir
	uid blob,
	received integer not null, -- Unix seconds
	zone integer not null,     -- seconds east of UTC
	nth integer not null,
	stored integer not null,
	octets integer not null,
	info text not null,
	keywords text not null,      -- all of them, also those that have a letter in info
	seen text not null,          -- the flags as the source last showed them; '': not known either
	identity text not null,      -- '': the source vouches for none
	linked integer not null,     -- its octets were never downloaded for itself
	gone integer not null,       -- the source shows it no more
	digest blob not null,
	match blob,                -- null: as digest
	message_id text not null,
	date text not null,
	sender text not null,
	recipient text not null,
	subject text not null,
	state integer not null     -- 0 sound, 1 missing, 2 damaged, 3 lost
);
create unique index entry_key on entry (key) where state <> 3;
create index entry_lost on entry (key) where state = 3;
create index entry_mailbox on entry (mailbox);
create index entry_place on entry (place);
create index entry_similar on entry (octets, received); -- links of one message share them too
create index entry_identity on entry (identity) where identity <> '';
create index entry_gone on entry (gone) where gone = 1;
create index entry_nameless on entry (mailbox) where uid is null;
create index entry_unsound on entry (state) where state <> 0;

-- A move is a new Ref for an entry that is on its way: written before its file gets its new name, removed with the
-- change of its row.
create table move (
	entry integer primary key references entry,
	key blob not null,
	mailbox integer not null references mailbox,
	place integer not null references mailbox,
	validity integer not null,
	uid blob not null,
	nth integer not null
);

create table destination (
	id integer primary key,
	protocol text not null,
	host text not null,
	user text not null,
	ran integer,
	unique (protocol, host, user)
);

create table outcome (
	dest integer not null references destination,
	entry integer not null references entry,
	state integer not null,
	mailbox blob not null,
	validity integer not null,
	next integer not null,
	uid integer not null, -- 0: unknown
	reason text not null,
	primary key (dest, entry)
) without rowid;
create index outcome_claimed on outcome (dest, mailbox, validity, uid) where uid > 0;
create index outcome_open on outcome (dest, state) where state in (%d, %d);
`, ledgerID, ledgerForm, Intended, Refused)
