package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// maxLine is the longest line of a file that is read, in bytes.
const maxLine = 1 << 20

// lineTime is how a Line writes times.
const lineTime = "2006-01-02T15:04:05.000000Z"

// Line is a row of the audit as exports and archived files have it, as a JSON object in a line of its own.
type Line struct {
	ID        string `json:"Id"`
	Time      string
	Actor     domain.Actor
	Action    domain.Action
	Object    string
	Outcome   string
	RequestID string `json:"RequestId"`
	Address   string
	Count     int64
	Seq       int64
	Hash      string
	Previous  string `json:",omitempty"` // the hash of the row before
}

// NewLine returns the line of a row, without Previous.
func NewLine(row domain.ChainedRow) Line {
	r := row.Row
	return Line{
		ID: strconv.FormatInt(r.ID, 10), Time: r.At.UTC().Format(lineTime), Actor: r.Actor, Action: r.Action, Object: r.Object, Outcome: r.Outcome,
		RequestID: r.RequestID, Address: r.Address, Count: r.Count, Seq: row.Link.Seq, Hash: row.Link.Hash.String(),
	}
}

// row returns the row and the point before it. ok is false if the line has something that is no row.
func (l Line) row() (previous domain.ChainPoint, row domain.ChainedRow, ok bool) {
	at, noTime := time.Parse(lineTime, l.Time)
	id, noID := strconv.ParseInt(l.ID, 10, 64)
	var noPrevious, noHash error
	row.Row = domain.AuditRow{ID: id, Record: domain.Record{
		At: at.UTC(), Actor: l.Actor, Action: l.Action, Object: l.Object, Outcome: l.Outcome, RequestID: l.RequestID, Address: l.Address, Count: l.Count,
	}}
	row.Link.Row = id
	row.Link.ChainPoint, noHash = domain.ParseChainPoint(strconv.FormatInt(l.Seq, 10) + ":" + l.Hash)
	previous, noPrevious = domain.ParseChainPoint(strconv.FormatInt(l.Seq-1, 10) + ":" + l.Previous)
	return previous, row, noTime == nil && noID == nil && noHash == nil && noPrevious == nil
}

// Span is what a file of the audit holds: the rows of the chain after From, up to To.
type Span struct{ From, To domain.ChainPoint }

// ReadSpan reads a file of lines, and computes its part of the chain again. Returns Corrupt, with a sentence
// that names the first broken row, if a row was changed, removed, inserted or moved. Returns Invalid if the
// file is no such file. It can't see whether rows are missing at either end (VerifySpans).
func ReadSpan(from io.Reader) (Span, error) {
	var span Span
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		decoder := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		decoder.DisallowUnknownFields()
		var line Line
		err := decoder.Decode(&line)
		previous, row, ok := line.row()
		if err != nil || !ok {
			return span, &domain.Error{Kind: domain.Invalid, Public: "line " + strconv.Itoa(n) + " is no line of an export of the audit"}
		}
		if n == 1 {
			span = Span{From: previous, To: previous}
		}
		if previous.Seq == span.To.Seq && previous != span.To {
			return span, &domain.Error{Kind: domain.Corrupt, Public: "line " + strconv.Itoa(n) + " does not have the hash of the line before it: it was changed"}
		}
		if span.To, err = span.To.Check(row); err != nil {
			return span, err
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return span, &domain.Error{Kind: domain.Invalid, Public: "a line is too long for an export of the audit"}
	} else if err != nil {
		return span, &domain.Error{Kind: domain.Unavailable, Public: "the file can't be read", Cause: err}
	}
	if span.To == span.From {
		return span, &domain.Error{Kind: domain.Invalid, Public: "it has no row of the audit"}
	}
	return span, nil
}
