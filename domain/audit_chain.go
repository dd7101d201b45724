package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// AuditRow is a Record as it is stored, with the number that the store gave it.
type AuditRow struct {
	ID int64
	Record
}

// AuditHash is a SHA-256 over a row of the audit and all rows before it in the chain.
type AuditHash [sha256.Size]byte

// String returns the hash in lower-case hexadecimal digits.
func (h AuditHash) String() string { return hex.EncodeToString(h[:]) }

// ChainPoint is a place in the chain of the audit: the number of rows up to there, and the hash
// over all of them. The zero ChainPoint is the beginning, before the first row.
type ChainPoint struct {
	Seq  int64
	Hash AuditHash
}

// ChainLink puts the row with that id into the chain, at Seq, with the hash over all rows up to
// it. Seq counts from 1 without gaps.
type ChainLink struct {
	ChainPoint
	Row int64
}

// ChainedRow is a link and its row. Gone tells that there is no such row.
type ChainedRow struct {
	Link ChainLink
	Row  AuditRow
	Gone bool
}

// AuditHead is the end of the chain, sealed under the keyset. Nobody can make another one
// without the keyset. It is zero before the first row is in the chain.
type AuditHead struct {
	ChainPoint
	Settled int64    // all rows with ids up to this one are in the chain, and no others will come
	Cut     AuditCut // where the chain begins; zero if it begins with the first row
	Sealed  Sealed   // the Text, bound by BindAuditHead
}

// Text returns the text of the head that is sealed. Without a cut, it is as programs wrote it that knew
// none.
func (h AuditHead) Text() string {
	text := h.String() + ":" + strconv.FormatInt(h.Settled, 10)
	if cut := h.Cut.Text(); cut != "" {
		text += ":" + cut
	}
	return text
}

// After returns the link of row after p. The hash is over the hash of p, the place, the row's id
// and all of its fields, each after its length.
func (p ChainPoint) After(row AuditRow) ChainLink {
	seq := p.Seq + 1
	hash := sha256.Sum256([]byte(bind(
		"flowlatch/audit-chain/v1", string(p.Hash[:]), strconv.FormatInt(seq, 10), strconv.FormatInt(row.ID, 10),
		strconv.FormatInt(row.At.UnixMicro(), 10), string(row.Actor), string(row.Action), row.Object, row.Outcome,
		row.RequestID, row.Address, strconv.FormatInt(row.Count, 10),
	).ad))
	return ChainLink{ChainPoint: ChainPoint{Seq: seq, Hash: hash}, Row: row.ID}
}

// Extend returns the links of rows after p, in their order.
func (p ChainPoint) Extend(rows []AuditRow) []ChainLink {
	links := make([]ChainLink, len(rows))
	for i, row := range rows {
		links[i] = p.After(row)
		p = links[i].ChainPoint
	}
	return links
}

// Check returns the point of next, which the chain has after p. Returns Corrupt, with a sentence
// that names the place and the row, if next does not follow p.
func (p ChainPoint) Check(next ChainedRow) (ChainPoint, error) {
	switch want := p.Seq + 1; {
	case next.Link.Seq != want:
		return p, broken("the chain goes from seq %d to seq %d (row %d): the links between them are missing or out of order", p.Seq, next.Link.Seq, next.Link.Row)
	case next.Gone:
		return p, broken("row %d (seq %d) was removed", next.Link.Row, want)
	case p.After(next.Row) != next.Link:
		return p, broken("row %d (seq %d) does not have the hash of the chain: it, its place, or its link was changed", next.Link.Row, want)
	}
	return next.Link.ChainPoint, nil
}

// broken says what is wrong with the chain: Corrupt.
func broken(format string, args ...any) error {
	return &Error{Kind: Corrupt, Public: "the audit is broken: " + fmt.Sprintf(format, args...)}
}

// Ends returns Corrupt unless the chain ends where the head says. p is the chain's last link.
func (h AuditHead) Ends(p ChainPoint) error {
	switch {
	case h.Seq > p.Seq:
		return broken("it ends at seq %d, but its signed head says %d: the rows from seq %d on were cut off", p.Seq, h.Seq, p.Seq+1)
	case h.Seq < p.Seq:
		return broken("it goes on to seq %d, but its signed head says %d: the head was replaced by an older one, or removed, or somebody else wrote the links from seq %d on",
			p.Seq, h.Seq, h.Seq+1)
	case h.Hash != p.Hash:
		return broken("the hash at its end, seq %d, is not the one in its signed head", p.Seq)
	}
	return nil
}

// Forged returns the error for a head whose sealed text is not its Text.
func (h AuditHead) Forged() error {
	return broken("the head says that the audit ends at seq %d, but this keyset did not sign the head", h.Seq)
}

// RolledBack returns the error for a head that is before seen, an earlier head.
func (h AuditHead) RolledBack(seen ChainPoint) error {
	return broken("its head was at seq %d and is now at seq %d, with other rows before it: rows and head were set back to an earlier state", seen.Seq, h.Seq)
}

// Stray returns the error for a settled row that is not in the chain.
func (r AuditRow) Stray() error {
	return broken("row %d is not in the chain, but the rows around it are: it was inserted later, or its link was removed", r.ID)
}

// ChainGone returns the error for an audit that had a chain and has none now.
func ChainGone() error {
	return broken("it had a chain and has none now: the head was removed, with all rows up to some time")
}

// Untold returns the error for a user or project that exists though no row tells how it began.
// object is what a Record calls it.
func Untold(object string) error {
	return broken("%s exists, but no row tells how it began: rows were removed, and the chain was started again", object)
}

// Unnoted returns the error for a chain without p, which an operator noted earlier.
func (p ChainPoint) Unnoted() error {
	return broken("it does not have %s, which was noted earlier: it was replaced, or set back to an earlier state", p)
}

// String writes the point as SEQ:HASH.
func (p ChainPoint) String() string { return strconv.FormatInt(p.Seq, 10) + ":" + p.Hash.String() }

// ParseChainPoint reads what String wrote. Returns Invalid for any other text.
func ParseChainPoint(text string) (ChainPoint, error) {
	seq, hash, _ := strings.Cut(text, ":")
	var p ChainPoint
	var err error
	if p.Seq, err = strconv.ParseInt(seq, 10, 64); err == nil && len(hash) == hex.EncodedLen(len(p.Hash)) {
		_, err = hex.Decode(p.Hash[:], []byte(hash))
	}
	if err != nil || p.Seq < 0 || p.String() != text {
		return ChainPoint{}, invalid("a point of the audit's chain is written SEQ:HASH, with the hash in 64 lower-case hexadecimal digits")
	}
	return p, nil
}
