// Package paxos is a register that several voters keep together: as long as a majority
// of them answers it can be read and changed, and all reads and changes happen as if
// one after the other. The cluster's state lives in one such register.
//
// It is CASPaxos (Rystsov, 2018): Paxos with a state in place of a log. Each voter is an
// Acceptor, each client a Proposer. Both are state machines: messages, timers and the
// word that something is durable come in, messages, timers and records to save go out.
// The package has no clock, network, disk, goroutine or randomness of its own. The page
// docs/paxos.md of the cluster tells the protocol and why it is right.
//
// # Use
//
// A voter, for each message that has arrived:
//
//	err = ask.Decode(frame)
//	answers, save, err := acceptor.Receive(ticket, &ask)  // send these answers now
//	if save {
//		record, number := acceptor.Save(buf[:0])
//		persist(record)                                // synced
//		answers = acceptor.Saved(number)               // and these
//	}
//
// A client: every step returns Effects, which are carried out alike.
//
//	e, err := proposer.Change(paxos.Change{ID: id, Apply: func(old []byte) ([]byte, error) { … }})
//	send(e.Send)                                           // to each its To
//	callIn(e.After, func() { effects(proposer.Wake(e.Timer)) })
//	e, err = proposer.Receive(&answer)                     // and so on, until
//	if e.Outcome != nil { … }                              // Done, Failed or Unknown
//
// # Rules for those who use it
//
// Nothing here can check these, and the promises rest on them.
//
//  1. A voter's ID belongs to its data directory. It is drawn anew whenever the
//     directory may have lost something: it is empty, restored, copied, or a file in it
//     was dropped as corrupt. A voter with a new ID counts only after SetVoters has put
//     it in the place of the old one. A voter that went on as before would break the
//     promises it forgot, and a change that was acknowledged would be gone.
//  2. A record is never removed, also not that of a deleted value.
//  3. A proposer's ID is drawn anew at each start of a process; then no ballot need be
//     kept on disk. Two proposers of one ID on one register follow each other, the
//     second made with the first one's Round as after.
//  4. The voters given to NewProposer are those with which the register began, or were
//     in the State of an Outcome.
//  5. The ID of a request is drawn by whoever wants it to happen once, and a retry
//     begins after the attempt before it has ended, or its process has.
//
// # Invariants
//
//  1. An acceptor accepts nothing below its promise, and promises no ballot twice. Both
//     survive a crash, because no answer leaves before they are durable.
//  2. A proposal extends the one of the highest ballot that was accepted among a majority
//     of the voters who decided there, or one above that; so it extends all that were
//     chosen before, whoever the voters were.
//  3. A State remembers the last eight requests that were applied to it, as part of what
//     is chosen, and a request it remembers is not applied to it. If it may have
//     forgotten one then it says so (ErrForgotten) and applies nothing.
//  4. An operation Failed only if its change was in no proposal, or another proposal
//     above all of those was chosen without it.
//
// # Limits
//
// One to seven voters in a set, values up to 16 MiB, one operation at a time for each
// proposer. A State weighs about 20 bytes, 16 for each voter, 17 or more for each
// remembered request, and its value.
//
// # Format
//
// Integers are unsigned varints in their shortest form, unless given as u8; IDs are 16
// bytes. There is one encoding of each value, and Decode refuses all others. There is no
// checksum: the engine and the transport have theirs.
//
//	record = 0x11 | promised | accepted | state, unless accepted is 0
//	ask    = 0x21 | kind u8, and 0x10 if a state follows | to | ballot | [next | state]
//	answer = 0x31 | kind u8, and 0x10 if a state follows, 0x20 if OK | from | ballot |
//	         promised | [accepted | state]
//	ballot = round | node, unless the round is 0
//	state  = version | epoch | now | next | forgotten | count u8 | for each: ID, version |
//	         length of the value plus 1, or 0 for none | value
//	now, next = count u8 | IDs, ascending
//
// # Failures
//
// Bytes that are not an encoding are ErrFormat, messages and arguments that break a rule
// ErrInvalid: never a panic, never an allocation sized by an unchecked length. A message
// to another voter is ErrVoter. An Outcome says whether its failure is definite, and why;
// without a majority an operation goes on until it is ended by Abort.
package paxos
