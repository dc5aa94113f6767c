//! What is fuzzed: every function here takes bytes as a stranger would send them, and panics where something is wrong.
//!
//! Parsers behind a signature, a checksum or a cipher are fed from both sides: with the seal broken, and with a seal made here around the bytes, so
//! that what is behind it is reached at all.

use minicbor::{Decode, Encode};
use rand_core::SeedableRng;
use wayside_proto::code::Code;
use wayside_proto::code::exchange::{Heard, Response, Verdict};
use wayside_proto::crypto::keys::{AccountId, AccountKey, DeviceKeys, NoiseKey};
use wayside_proto::crypto::noise::{Handshake, Pattern};
use wayside_proto::crypto::{Secret, aead, envelope, sha256};
use wayside_proto::greeting::{CarriedJoin, Greeting};
use wayside_proto::identity::{Card, DeviceEntry, Roster, Signed, Status};
use wayside_proto::introducer::{Notice, Request, Spelling};
use wayside_proto::introduction::Message;
use wayside_proto::invite::Invite;
use wayside_proto::mailbox::item::{Content, FileRef, Item, Kind, MAX_TEXT, MOST_FILES, Ordered, Receipt};
use wayside_proto::mailbox::prekeys::{Prekeys, Week};
use wayside_proto::mailbox::wire::{self, Access, Ask, Carry, Frame, MAX_BLOB, MailboxOffer, Put, Told};
use wayside_proto::mailbox::{Age, seal};
use wayside_proto::meet::pair::PairSecret;
use wayside_proto::message::{Answer, Join, Knock, Offer, Payload, Update, Welcome};
use wayside_proto::place::{Candidate, Candidates, Locator, MeetingPoint};
use wayside_proto::pointer::{Claims, Pointer};
use wayside_proto::reach::{NatReport, Reflector, Reflectors, RelayTags};
use wayside_proto::reply::{Joined, Reply};
use wayside_proto::token::{Purpose, Token};
use wayside_proto::{Epoch, UnixMillis};

/// A function that takes anything, and says whether it was what it should be: at least one file of each corpus is.
pub type Target = fn(&[u8]) -> bool;

/// All of them, by the names of their corpora.
pub const ALL: &[(&str, Target)] = &[
    ("account_text", account_text),
    ("answer", payload::<Answer>),
    ("candidates", candidates),
    ("card", card),
    ("card_signed", card_signed),
    ("carried_join", carried_join),
    ("code_records", code_records),
    ("code_text", code_text),
    ("envelope", envelope),
    ("greeting", greeting),
    ("greeting_text", greeting_text),
    ("introduction", introduction),
    ("invite_body", invite_body),
    ("invite_text", invite_text),
    ("join", payload::<Join>),
    ("knock", payload::<Knock>),
    ("locator", locator),
    ("mail_frames", mail_frames),
    ("mail_item", mail_item),
    ("mail_open", mail_open),
    ("nat", nat),
    ("noise_contact_1", noise_contact_1),
    ("noise_contact_2", noise_contact_2),
    ("noise_knock_1", noise_knock_1),
    ("noise_knock_2", noise_knock_2),
    ("noise_meeting_1", noise_meeting_1),
    ("noise_meeting_2", noise_meeting_2),
    ("offer", payload::<Offer>),
    ("pair_secret", pair_secret),
    ("point", point),
    ("pointer", pointer),
    ("pointer_signed", pointer_signed),
    ("reflectors", reflectors),
    ("relay_tags", relay_tags),
    ("reply_body", reply_body),
    ("reply_text", reply_text),
    ("room_words", room_words),
    ("roster_entries", roster_entries),
    ("roster_signed", roster_signed),
    ("status_signed", status_signed),
    ("token", token),
    ("token_handed_on", token_handed_on),
    ("token_signed", token_signed),
    ("tray", tray),
    ("unpad", unpad),
    ("update", payload::<Update>),
    ("welcome", payload::<Welcome>),
];

/// Runs the target of this name.
///
/// # Panics
/// Where there is none, or where it finds something.
pub fn run(name: &str, data: &[u8]) -> bool {
    let (_, target) =
        ALL.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no target {name}"));
    target(data)
}

fn introduction(data: &[u8]) -> bool {
    if let Ok(message) = Message::from_bytes(data) {
        assert!(data.len() <= Message::MAX);
        again(&message);
        return true;
    }
    false
}

/// What is said in a room, as its bot reads it, and what a bot says, as a member's node does.
fn room_words(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let mut good = false;
    for spelling in [Spelling::Marked, Spelling::Bare] {
        match Request::parse(&text, spelling) {
            Some(Ok(request)) => {
                assert_eq!(Request::parse(&request.to_string(), Spelling::Marked), Some(Ok(request)));
                good = true;
            }
            // It is said to people.
            Some(Err(error)) => assert!(error.to_string().len() < 200),
            None => {}
        }
    }
    for notice in Notice::all(&text) {
        let line = notice.to_string();
        assert!(!line.contains('\n'));
        assert_eq!(Notice::find(&line), Some(notice));
        good = true;
    }
    good
}

fn invite_text(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let mut good = false;
    for text in [text.to_string(), format!("wayside:{text}")] {
        if let Ok(invite) = text.parse::<Invite>() {
            assert_eq!(invite.to_string().parse::<Invite>().as_ref(), Ok(&invite));
            good = true;
        }
    }
    good
}

fn invite_body(data: &[u8]) -> bool {
    let sum = sha256(&[b"wayside/1 invite", data]);
    let bytes = [data, &sum[..4]].concat();
    let link = format!("wayside:{}", data_encoding::BASE32_NOPAD.encode(&bytes));
    if let Ok(invite) = link.parse::<Invite>() {
        assert_eq!(invite.to_string(), link);
        assert_eq!(invite.hash(), sha256(&[&bytes]));
        assert!((1..=Invite::MOST_POINTS).contains(&invite.points.len()));
        assert!(invite.own.iter().all(|number| usize::from(*number) < invite.points.len()));
        invite.points.iter().for_each(check_locator);
        return true;
    }
    false
}

fn greeting(data: &[u8]) -> bool {
    let Ok(greeting) = Greeting::from_bytes(data) else { return false };
    check_greeting(&greeting);
    true
}

fn greeting_text(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let mut good = false;
    for text in [text.to_string(), format!("wayside-invite:{text}")] {
        if let Ok(greeting) = text.parse::<Greeting>() {
            assert!(Greeting::is_one(&text));
            check_greeting(&greeting);
            good = true;
        }
    }
    good
}

fn check_greeting(greeting: &Greeting) {
    assert!(greeting.bytes().len() <= Greeting::MAX);
    assert_eq!(Greeting::from_bytes(greeting.bytes()).as_ref(), Ok(greeting));
    assert_eq!(format!("# one\n{greeting}\n").parse::<Greeting>().as_ref(), Ok(greeting));
    assert!(greeting.card().roster().device_by_noise(greeting.device()).is_some());
    assert!(greeting.invite().points.len() <= Invite::MOST_POINTS);
    greeting.invite().points.iter().for_each(check_locator);
}

fn carried_join(data: &[u8]) -> bool {
    let Ok(carried) = CarriedJoin::from_bytes(data) else { return false };
    let bytes = carried.to_bytes().unwrap();
    assert_eq!(CarriedJoin::from_bytes(&bytes).as_ref(), Ok(&carried));
    true
}

fn code_text(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    for completed in Code::completions(&text) {
        assert!(Code::is_like(&completed), "{completed}");
    }
    let Ok(code) = text.parse::<Code>() else { return false };
    assert_eq!(code.to_string().parse::<Code>().as_ref(), Ok(&code));
    true
}

/// What whoever writes in the place of a code leaves there, each in one form only.
fn code_records(data: &[u8]) -> bool {
    let call = match Heard::from_bytes(data) {
        Ok(Heard::Call(call)) => {
            assert_eq!(call.to_bytes(), data);
            call.points.iter().for_each(check_locator);
            let rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
            let code: Code = "7-crossover-clockwork".parse().unwrap();
            let _ = call.respond(&code, 0, rng);
            true
        }
        Ok(Heard::Burnt) => true,
        Err(_) => false,
    };
    let response = Response::from_bytes(data).is_ok_and(|response| response.to_bytes() == data);
    let verdict = Verdict::from_bytes(data).is_ok_and(|verdict| verdict.to_bytes() == data);
    call || response || verdict
}

fn reply_text(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let mut good = false;
    for text in [text.to_string(), format!("wayside-reply:{text}")] {
        if let Ok(reply) = text.parse::<Reply>() {
            assert_eq!(reply.to_string().parse::<Reply>().as_ref(), Ok(&reply));
            good = true;
        }
    }
    good
}

/// With a checksum that fits.
fn reply_body(data: &[u8]) -> bool {
    let sum = sha256(&[b"wayside/1 reply", data]);
    let line = format!("wayside-reply:{}", data_encoding::BASE32_NOPAD.encode(&[data, &sum[..4]].concat()));
    let Ok(reply) = line.parse::<Reply>() else { return false };
    assert_eq!(reply.to_string(), line);
    assert!(line.len() <= Reply::MAX);
    match reply.joined() {
        Joined::Space(space) => check_locator(space),
        Joined::Message(message) => assert!((1..=928).contains(&message.len())),
        Joined::Carried(message) => assert!((1..=CarriedJoin::MAX_MESSAGE).contains(&message.len())),
    }
    true
}

fn pointer(data: &[u8]) -> bool {
    let Ok(pointer) = Pointer::read(data) else { return false };
    check_pointer(&pointer);
    true
}

/// What a pointer says, signed here.
fn pointer_signed(data: &[u8]) -> bool {
    let account = AccountKey::from_secret(&Secret::new([7; 32]));
    let Ok(claims) = minicbor::decode::<Claims>(data) else { return false };
    let Some(pointer) = Pointer::sign(&account, claims) else { return false };
    check_pointer(&pointer);
    true
}

fn check_pointer(pointer: &Pointer) {
    let bytes = pointer.to_bytes();
    assert!(bytes.len() <= Pointer::MAX && bytes[0] == 0x82);
    assert_eq!(Pointer::read(&bytes).as_ref(), Ok(pointer));
    assert_eq!(Pointer::read(format!("# one\n{pointer}\n").as_bytes()).as_ref(), Ok(pointer));
    assert_eq!(pointer.check(UnixMillis(0), Some(pointer.name()), Some(pointer)).is_ok(), {
        let longest = UnixMillis(0).after(Pointer::LONGEST).after(Epoch::LENGTH);
        (UnixMillis(1)..=longest).contains(&pointer.expires())
    });
    assert!((1..=Pointer::MOST_POINTS).contains(&pointer.points().len()));
    pointer.points().iter().for_each(check_locator);
}

fn locator(data: &[u8]) -> bool {
    if let Some(locator) = Locator::parse(&String::from_utf8_lossy(data)) {
        check_locator(&locator);
        return true;
    }
    false
}

fn check_locator(locator: &Locator) {
    assert_eq!(Locator::parse(&locator.to_string()).as_ref(), Some(locator));
    assert!(
        !locator.address().starts_with('-') && locator.kind().len() + locator.address().len() <= Locator::MAX
    );
    assert!(!locator.to_string().contains(|c: char| c.is_whitespace() || c.is_control() || c == '\u{202e}'));
}

fn account_text(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    if let Some(account) = AccountId::parse(&text) {
        assert_eq!(account.to_string(), text.to_ascii_lowercase());
        return true;
    }
    false
}

fn card(data: &[u8]) -> bool {
    if let Ok(card) = Card::from_bytes(data) {
        check_card(&card);
        return true;
    }
    false
}

fn roster_signed(data: &[u8]) -> bool {
    let signed: Signed<Roster> = signed(data, account().sign("roster", data), &[entry()]);
    if let Ok(roster) = signed.verify() {
        check_roster(&roster);
        return true;
    }
    false
}

/// The list of entries is what nobody signed as a whole.
fn roster_entries(data: &[u8]) -> bool {
    let body = roster_body();
    let wire =
        [&[0x83][..], &cbor_bytes(&body), &cbor_bytes(&account().sign("roster", &body)), data].concat();
    if let Ok(signed) = minicbor::decode::<Signed<Roster>>(&wire)
        && let Ok(roster) = signed.verify()
    {
        check_roster(&roster);
        return true;
    }
    false
}

fn status_signed(data: &[u8]) -> bool {
    let signed: Signed<Status> = signed(data, device().sign("status", data), &[]);
    if let Ok(status) = signed.verify(&device().public()) {
        assert!(status.points.len() <= Status::MOST);
        status.points.iter().for_each(|point| check_locator(&point.locator));
        return true;
    }
    false
}

/// A status within a card that is merged with another, both ways.
fn card_signed(data: &[u8]) -> bool {
    let roster: Signed<Roster> = signed(&roster_body(), account().sign("roster", &roster_body()), &[entry()]);
    let status: Signed<Status> = signed(data, device().sign("status", data), &[]);
    let Ok(bare) = Card::new(roster.clone(), vec![]) else { unreachable!("the fixed card is good") };
    if let Ok(card) = Card::new(roster, vec![status]) {
        check_card(&card);
        let (mut one, mut two) = (bare.clone(), card.clone());
        assert_eq!(one.merge(&card), Ok(true));
        assert_eq!(two.merge(&bare), Ok(false));
        assert_eq!(one, two);
        assert_eq!(card.brief(&device().public().id()).as_ref(), Some(&card));
        return true;
    }
    false
}

fn check_card(card: &Card) {
    assert!(card.to_bytes().len() <= Card::MAX + 100);
    assert_eq!(Card::from_bytes(&card.to_bytes()).as_ref(), Ok(card));
    assert_eq!(card.clone().merge(card), Ok(false));
    check_roster(card.roster());
}

fn check_roster(roster: &Roster) {
    assert!((1..=Roster::MOST).contains(&roster.devices.len()));
    assert!((1..=Roster::MAX_NAME).contains(&roster.name.len()));
    assert!(roster.expires.since(roster.issued) <= Roster::LIFETIME && roster.seq > 0);
}

fn payload<P: Payload + PartialEq + std::fmt::Debug>(data: &[u8]) -> bool {
    if let Ok(payload) = P::from_bytes(data) {
        assert_eq!(P::from_bytes(&payload.to_bytes()).as_ref(), Ok(&payload));
        return true;
    }
    false
}

fn candidates(data: &[u8]) -> bool {
    if let Ok(candidates) = minicbor::decode::<Candidates>(data) {
        assert!(candidates.len() <= Candidate::MOST);
        for candidate in candidates.iter() {
            assert!(candidate.address.port() != 0 && !candidate.address.ip().is_unspecified());
        }
        again(&candidates);
        return true;
    }
    false
}

fn nat(data: &[u8]) -> bool {
    if let Ok(report) = minicbor::decode::<NatReport>(data) {
        assert!(report.attestations.len() <= NatReport::MOST_ATTESTATIONS);
        assert!(report.attestations.iter().all(|attestation| attestation.by.port() != 0));
        again(&report);
        return true;
    }
    false
}

fn reflectors(data: &[u8]) -> bool {
    if let Ok(reflectors) = minicbor::decode::<Reflectors>(data) {
        assert!(reflectors.len() <= Reflector::MOST);
        again(&reflectors);
        for Reflector { addresses, .. } in reflectors.into_vec() {
            assert!((1..=Reflector::MOST_ADDRESSES).contains(&addresses.len()));
        }
        return true;
    }
    false
}

fn relay_tags(data: &[u8]) -> bool {
    if let Ok(tags) = minicbor::decode::<RelayTags>(data) {
        assert!(tags.len() <= RelayTags::MOST);
        again(&tags);
        return true;
    }
    false
}

/// What a stream of the mailbox brings: the first byte says which frame it is read as.
fn mail_frames(data: &[u8]) -> bool {
    let Some((kind, bytes)) = data.split_first() else { return false };
    match kind % 7 {
        0 => frame::<Access>(bytes),
        1 => frame::<Put>(bytes),
        2 => frame::<wire::Answer>(bytes),
        3 => frame::<Ask>(bytes),
        4 => frame::<Told>(bytes),
        5 => frame::<MailboxOffer>(bytes),
        _ => frame::<Carry>(bytes),
    }
}

fn frame<F: Frame + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> bool {
    if let Ok(frame) = F::from_bytes(bytes) {
        // What was read keeps its bounds, so that it can be handed on.
        let again = frame.to_bytes();
        assert!(again.len() <= F::MAX);
        assert_eq!(F::from_bytes(&again).as_ref(), Ok(&frame));
        return true;
    }
    false
}

fn mail_item(data: &[u8]) -> bool {
    let Ok(item) = Item::from_bytes(data) else { return false };
    let again = item.to_bytes();
    assert_eq!(Item::from_bytes(&again).as_ref(), Ok(&item));
    match item.kind {
        Kind::Ordered(Ordered { content: Content::Message(_, text, files), .. }) => {
            assert!(text.len() <= MAX_TEXT && files.len() <= MOST_FILES);
            assert!(
                files.iter().all(|file| FileRef::is_name(&file.name) && !file.name.contains(['/', '\\']))
            );
        }
        Kind::Ordered(_) => (),
        Kind::News(news) => {
            let most = |receipt: &Receipt| receipt.beyond.len() <= Receipt::MOST_BEYOND;
            assert!(news.receipt.as_ref().is_none_or(most));
        }
    }
    true
}

/// A blob as it is, for Ben of the vectors, of Anna; and what is within one that she sealed.
fn mail_open(data: &[u8]) -> bool {
    let (from, to) = (account().id(), AccountId(*secret("ben account").expose()));
    let ben = DeviceKeys::from_secrets(&secret("ben sign"), &secret("ben noise")).public().id();
    let week = Week { id: 40_000, seed: secret("ben week 0"), begins: Age(0) };
    let prekeys = Prekeys::new(vec![week]);
    let senders = [device().public().noise];
    let open = |blob: &[u8]| seal::open((&to, ben), &prekeys, &from, &senders, blob);
    let good = open(data).inspect(|item| assert!(item.len() < data.len() && data.len() <= MAX_BLOB)).is_ok();

    let Some((key, psk)) = prekeys.open_with(40_000, &from) else { unreachable!("it is there") };
    let recipient = seal::Recipient { device: ben, prekey: 40_000, key: key.public(), psk: &psk };
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([7; 32]);
    let content: Secret = Secret::random(&mut rng.clone());
    let device = device();
    match seal::seal((&from, device.noise()), &to, &[recipient], data, &mut rng) {
        Ok(mut blob) => {
            assert!(blob.len() <= MAX_BLOB);
            assert_eq!(open(&blob).as_deref(), Ok(data));
            // The same header around what is no padded item.
            blob.truncate(2 + 92);
            let body = aead::seal(&content, &blob, data);
            blob.extend(body);
            if let Ok(item) = open(&blob) {
                assert!(data.get(4..).is_some_and(|padded| padded.starts_with(&item)));
            }
        }
        Err(_) => assert!(data.len() > seal::MAX_ITEM),
    }
    good
}

/// A token as it is, which here is one of the vectors'.
fn token(data: &[u8]) -> bool {
    read_token(data, NOW)
}

/// A first block that says anything, signed by the issuer.
fn token_signed(data: &[u8]) -> bool {
    let blocks = [&[0x81, 0x82][..], &cbor_bytes(data), &cbor_bytes(&issuer().sign("token", data))].concat();
    read_token(&blocks, NOW)
}

/// A further block that says anything, signed by whom the first is for.
fn token_handed_on(data: &[u8]) -> bool {
    let subject = device().public().sign;
    let first = Token::issue(&issuer(), Purpose::Relay, subject, 7, NOW, UnixMillis(NOW.0 + 86_400_000), 2);
    let Some(block) = first.to_bytes().get(1..).map(<[u8]>::to_vec) else { return false };
    let Ok((says, signature)) =
        minicbor::decode::<(minicbor::bytes::ByteVec, minicbor::bytes::ByteVec)>(&block)
    else {
        unreachable!("a block is two byte strings")
    };
    let before = sha256(&[&says, &signature]);
    let signature = device().sign("token handed on", &[&before[..], data].concat());
    read_token(&[&[0x82][..], &block, &[0x82], &cbor_bytes(data), &cbor_bytes(&signature)].concat(), NOW)
}

fn read_token(bytes: &[u8], now: UnixMillis) -> bool {
    let Ok(token) = Token::from_bytes(bytes) else { return false };
    assert!(bytes.len() <= Token::MAX && token.to_bytes() == bytes);
    let Ok(verified) = token.verify(&issuer().public(), Purpose::Relay, now) else { return false };
    assert!(verified.expires > now && verified.expires.since(verified.issued) <= Token::LIFETIME);
    assert!(verified.hands <= Token::MOST_HANDS && verified.last == token.subject());
    true
}

fn point(data: &[u8]) -> bool {
    if let Ok(point) = minicbor::decode::<MeetingPoint>(data) {
        check_locator(&point.locator);
        again(&point);
        return true;
    }
    false
}

fn pair_secret(data: &[u8]) -> bool {
    if let Ok(mut pair) = minicbor::decode::<PairSecret>(data) {
        again(&pair);
        let oldest = pair.oldest();
        assert!(pair.at(oldest).is_some());
        assert!(oldest == Epoch(0) || pair.at(oldest.minus(1)).is_none());
        assert_eq!(pair.forget_before(oldest.plus(3)), oldest < Epoch(u32::MAX));
        assert_eq!(pair.oldest(), oldest.plus(3));
        return true;
    }
    false
}

fn again<T: Encode<()> + for<'b> Decode<'b, ()> + PartialEq + std::fmt::Debug>(value: &T) {
    let bytes = minicbor::to_vec(value).unwrap_or_default();
    assert_eq!(minicbor::decode::<T>(&bytes).ok().as_ref(), Some(value));
}

fn envelope(data: &[u8]) -> bool {
    let siv = secret("siv");
    let opened = envelope::open(&siv, data);
    if let Some(message) = &opened {
        assert_eq!(envelope::seal(&siv, message), data);
    }
    // With a seal around it that fits.
    let mut message = data.to_vec();
    for bucket in envelope::Bucket::ALL {
        message.resize(bucket.message(), 0);
        assert_eq!(envelope::open(&siv, &envelope::seal(&siv, &message)), Some(message.clone()));
    }
    opened.is_some()
}

fn tray(data: &[u8]) -> bool {
    if let Some((slot, sealed)) = envelope::split_tray(data)
        && let Some(message) = envelope::open_from_tray(&secret("siv"), sealed)
    {
        assert_eq!(envelope::seal_in_tray(&slot, &secret("siv"), &message), data);
        return true;
    }
    false
}

fn unpad(data: &[u8]) -> bool {
    if let Some(payload) = envelope::unpad(data) {
        assert!(payload.len() + 2 <= data.len());
        return true;
    }
    false
}

fn noise_contact_1(data: &[u8]) -> bool {
    read_first(Pattern::Contact, data)
}

fn noise_knock_1(data: &[u8]) -> bool {
    read_first(Pattern::Guest, data)
}

fn noise_knock_2(data: &[u8]) -> bool {
    read_second(Pattern::Guest, data)
}

fn noise_meeting_1(data: &[u8]) -> bool {
    read_first(Pattern::Meeting, data)
}

fn noise_contact_2(data: &[u8]) -> bool {
    read_second(Pattern::Contact, data)
}

fn noise_meeting_2(data: &[u8]) -> bool {
    read_second(Pattern::Meeting, data)
}

/// Reads message 1, and whatever it was, the good one afterwards.
fn read_first(pattern: Pattern, data: &[u8]) -> bool {
    let good = initiator(pattern).write(b"good");
    let mut responder = responder(pattern);
    match responder.read(data) {
        Ok(payload) => {
            assert_eq!(payload.len() + pattern.overhead1(), data.len());
            let known = (pattern != Pattern::Guest).then(|| key("initiator").public());
            assert_eq!(responder.remote(), known);
            true
        }
        Err(error) => {
            assert_eq!(good.and_then(|good| responder.read(&good)).map_err(|_| error), Ok(b"good".to_vec()));
            false
        }
    }
}

/// Reads message 2, and whatever it was, the good one afterwards.
fn read_second(pattern: Pattern, data: &[u8]) -> bool {
    let (mut one, mut two) = (initiator(pattern), responder(pattern));
    // The payload of the vectors, so that their message 2 is the answer to it.
    let first = envelope::Bucket::Small.pad(b"who is there?", pattern.overhead1()).unwrap_or_default();
    let good = one.write(&first).and_then(|first| two.read(&first)).and_then(|_| two.write(b"good"));
    match one.read(data) {
        Ok(payload) => {
            assert_eq!(payload.len() + pattern.overhead2(), data.len());
            true
        }
        Err(_) => {
            assert_eq!(good.and_then(|good| one.read(&good)), Ok(b"good".to_vec()));
            assert_eq!(one.secret("meeting"), two.secret("meeting"));
            false
        }
    }
}

/// The keys of the golden vectors, so that those are good seeds.
fn secret(name: &str) -> Secret {
    Secret::new(sha256(&[b"wayside vector ", name.as_bytes()]))
}

fn key(name: &str) -> NoiseKey {
    NoiseKey::from_secret(secret(name))
}

fn initiator(pattern: Pattern) -> Handshake {
    let (local, remote) = (key("initiator"), key("responder").public());
    let (psk, prologue, ephemeral) = (secret("psk"), secret("prologue"), secret("initiator ephemeral"));
    let made = if pattern == Pattern::Guest {
        Handshake::guest(&remote, &psk, prologue.expose(), &ephemeral)
    } else {
        Handshake::initiator(pattern, &local, &remote, &psk, prologue.expose(), &ephemeral)
    };
    made.unwrap_or_else(|_| unreachable!("fixed keys are good"))
}

fn responder(pattern: Pattern) -> Handshake {
    let (local, remote) = (key("responder"), key("initiator").public());
    let known = (pattern == Pattern::Meeting).then_some(&remote);
    let (psk, prologue, ephemeral) = (secret("psk"), secret("prologue"), secret("responder ephemeral"));
    let made = Handshake::responder(pattern, &local, known, &psk, prologue.expose(), &ephemeral);
    made.unwrap_or_else(|_| unreachable!("fixed keys are good"))
}

fn account() -> AccountKey {
    AccountKey::from_secret(&secret("anna account"))
}

fn device() -> DeviceKeys {
    DeviceKeys::from_secrets(&secret("anna sign"), &secret("anna noise"))
}

/// When the tokens of the vectors are issued.
const NOW: UnixMillis = UnixMillis(1_790_000_000_123);

fn issuer() -> DeviceKeys {
    DeviceKeys::from_secrets(&secret("rita sign"), &secret("rita noise"))
}

fn entry() -> DeviceEntry {
    DeviceEntry::new(&device(), &account().id())
}

/// What is signed in a good roster of one device.
fn roster_body() -> Vec<u8> {
    let id = device().public().id();
    [&[0x87][..], &cbor_bytes(&account().id().0), &[1, 0xf6, 0, 1, 0x61, b'A', 0x81], &cbor_bytes(&id.0)]
        .concat()
}

fn signed<T>(body: &[u8], signature: [u8; 64], beside: &[DeviceEntry]) -> Signed<T>
where
    Signed<T>: for<'b> Decode<'b, ()>,
{
    let beside = minicbor::to_vec(beside).unwrap_or_default();
    let wire = [&[0x83][..], &cbor_bytes(body), &cbor_bytes(&signature), &beside].concat();
    minicbor::decode(&wire).unwrap_or_else(|error| unreachable!("the wrapping is good: {error}"))
}

fn cbor_bytes(bytes: &[u8]) -> Vec<u8> {
    minicbor::to_vec(minicbor::bytes::ByteVec::from(bytes.to_vec())).unwrap_or_default()
}
