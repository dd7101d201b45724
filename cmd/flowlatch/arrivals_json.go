package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// readJSON is a reading of one JSON array of objects.
func readJSON(r io.Reader, each func(arrival) error) error {
	values := newJSONValues(withoutMark(bufio.NewReader(r)))
	if values.PeekKind() != jsontext.KindBeginArray {
		return values.failed(errors.New("the file should hold one JSON array of objects"))
	}
	if _, err := values.ReadToken(); err != nil {
		return values.failed(err)
	}
	for number := 1; values.more(); number++ {
		value, err := values.next()
		if err != nil {
			return err
		}
		a := arrival{place: fmt.Sprintf("line %d (element %d)", values.line, number)}
		var e struct {
			Version   string        `json:"version_id"`
			Token     domain.Secret `json:"token"`
			Name      string        `json:"name"`
			Voiceflow string        `json:"voiceflow_project_id"`
		}
		if a.err = decodeStrictly(value, &e); a.err == nil {
			a.in = app.AddProject{Version: e.Version, Key: e.Token, Name: e.Name, VoiceflowProject: e.Voiceflow}
		}
		if err := each(a); err != nil {
			return err
		}
	}
	if _, err := values.ReadToken(); err != nil { // the end of the array
		return values.failed(err)
	}
	if _, err := values.ReadToken(); !errors.Is(err, io.EOF) {
		return values.failed(errors.New("there is something after the end of the array"))
	}
	return nil
}

// decodeStrictly reads one JSON object with the members of the struct that into points
// to, each a text, none twice and no other. Its errors repeat nothing of the value.
func decodeStrictly(value jsontext.Value, into any) error {
	if len(value) > maxArrival {
		return fmt.Errorf("it is larger than %d bytes", maxArrival)
	}
	if value.Kind() != jsontext.KindBeginObject {
		return errors.New("it is no JSON object")
	}
	err := json.Unmarshal(value, into, json.RejectUnknownMembers(true))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jsontext.ErrDuplicateName):
		return errors.New("it has two members of the same name")
	case errors.Is(err, json.ErrUnknownName):
		return errors.New("it has a member that is not known")
	}
	if _, ok := errors.AsType[*json.SemanticError](err); ok {
		return errors.New("a member is of the wrong type")
	}
	return errors.New("a text in it is not Unicode")
}

// jsonValues reads values one after the other from JSON of any length. It holds a few
// times maxArrival at most.
type jsonValues struct {
	*jsontext.Decoder
	from *lineReader
	line int // where the last value of next begins
}

func newJSONValues(r io.Reader) *jsonValues {
	from := &lineReader{from: r, left: maxRead, line: 1}
	// What is wrong inside a value is wrong with that value alone: decodeStrictly sees it.
	return &jsonValues{from: from, Decoder: jsontext.NewDecoder(from, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
}

// more says whether there is another value before the end.
func (v *jsonValues) more() bool {
	v.from.left = maxRead
	switch v.PeekKind() {
	case jsontext.KindEndArray, jsontext.KindInvalid: // what is invalid shows when it is read
		return false
	}
	return true
}

// next reads a value, which is good until the next call.
func (v *jsonValues) next() (jsontext.Value, error) {
	value, err := v.ReadValue()
	if err != nil {
		return nil, v.failed(err)
	}
	v.line = v.from.lineAt(v.InputOffset() - int64(len(value)))
	return value, nil
}

// failed is why the reading ends. Of the decoder's own errors it keeps the line: they may
// quote what is in the file.
func (v *jsonValues) failed(err error) error {
	if v.from.failed != nil {
		return v.from.failed
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("the file ends in the middle of its JSON")
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Errorf("line %d is not valid JSON, so that nothing behind it can be read", v.from.lineAt(e.ByteOffset))
	}
	return err
}

// maxRead is how much is read on in search of the end of one value. It is more than
// maxArrival, so that a value that is too large by little spoils nothing but itself.
const maxRead = 4 * maxArrival

var errTooLarge = fmt.Errorf("a value is larger than %d bytes, or as much white space stands before it; the rest was not read", maxRead)

// lineReader counts lines, and reads no more than left.
type lineReader struct {
	from   io.Reader
	left   int
	read   int64   // how many bytes were read
	ends   []int64 // where the line ends that were read are, as far as lineAt has not passed them
	line   int     // the line before the first of ends
	failed error   // why nothing more can be read; nil at the end
}

func (r *lineReader) Read(b []byte) (int, error) {
	if r.left == 0 {
		r.failed = errTooLarge
		return 0, r.failed
	}
	n, err := r.from.Read(b[:min(len(b), r.left)])
	for i, c := range b[:n] {
		if c == '\n' {
			r.ends = append(r.ends, r.read+int64(i))
		}
	}
	r.read += int64(n)
	r.left -= n
	if err != nil && !errors.Is(err, io.EOF) {
		r.failed = err
	}
	return n, err
}

// lineAt is the line that the byte at offset is in. Offsets only grow.
func (r *lineReader) lineAt(offset int64) int {
	passed := 0
	for passed < len(r.ends) && r.ends[passed] < offset {
		passed++
	}
	r.ends = r.ends[passed:]
	r.line += passed
	return r.line
}
