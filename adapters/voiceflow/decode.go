package voiceflow

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/flowlatch/flowlatch/ports"
)

// decoderSize is what a decoder of gzip or deflate holds in memory, in bytes: the window of 32 KiB
// (RFC 1951, section 2), the tables of the codes, and the buffer of what it reads.
const decoderSize = 45 << 10

// encodingsOf returns the encodings of the body of an answer, in the order in which they were
// applied. identity is no encoding.
func encodingsOf(header http.Header) []string {
	var all []string
	for _, line := range header["Content-Encoding"] {
		for encoding := range strings.SplitSeq(line, ",") {
			encoding = strings.ToLower(strings.TrimSpace(encoding))
			if encoding != "" && encoding != "identity" {
				all = append(all, encoding)
			}
		}
	}
	return all
}

// decode makes answer an answer without an encoding. Nobody asked for one, but a proxy on the way
// may add gzip. The limits of an exchange hold for the decoded body. Returns an error for an
// encoding that is not gzip or deflate, and for more than one.
//
// held counts the decoder if there is room. The call was carried out, so its answer is decoded without
// room too.
func decode(answer *http.Response, held *ports.Held) error {
	encodings := encodingsOf(answer.Header)
	if len(encodings) == 0 {
		return nil
	}
	if len(encodings) > 1 {
		return errors.New("voiceflow: several encodings that were not asked for")
	}
	var open func(*bufio.Reader) (io.Reader, error)
	switch encodings[0] {
	case "gzip", "x-gzip": // RFC 9110, section 8.4.1.3
		open = func(r *bufio.Reader) (io.Reader, error) { return gzip.NewReader(r) }
	case "deflate":
		open = inflate
	default:
		return errors.New("voiceflow: an encoding that was not asked for")
	}
	answer.Header.Del("Content-Encoding")
	if answer.Body == http.NoBody {
		return nil
	}
	answer.Header.Del("Content-Length")
	answer.ContentLength = -1
	_ = held.Add(decoderSize)
	d := &decoder{encoded: answer.Body, open: open}
	answer.Body = d
	if formOf(answer.Header.Get("Content-Type")) == formEvents {
		return nil // the first part may take its time
	}
	// A body that is not encoded is an error instead of half an answer.
	if err := d.begin(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// inflate decodes deflate: the format of zlib, or, from some servers, only the compressed data
// (RFC 9110, section 8.4.1.2).
func inflate(r *bufio.Reader) (io.Reader, error) {
	const method = 8 // deflate, in the first byte of zlib's header (RFC 1950, section 2.2)
	begin, err := r.Peek(2)
	if err == nil && begin[0]&0x0f == method && (int(begin[0])<<8|int(begin[1]))%31 == 0 {
		return zlib.NewReader(r)
	}
	if len(begin) == 0 {
		return nil, err
	}
	return flate.NewReader(r), nil
}

// decoder is the decoded body of an answer. It returns each part that the server has flushed.
type decoder struct {
	encoded io.ReadCloser
	open    func(*bufio.Reader) (io.Reader, error)
	decoded io.Reader // nil before begin
	failed  error
}

// begin reads the beginning of the encoded body, unless that was done. Returns io.EOF if the body
// is empty.
func (d *decoder) begin() error {
	if d.decoded == nil && d.failed == nil {
		d.decoded, d.failed = d.open(bufio.NewReader(d.encoded))
	}
	return d.failed
}

// Read decodes on.
func (d *decoder) Read(p []byte) (int, error) {
	if err := d.begin(); err != nil {
		return 0, err
	}
	n, err := d.decoded.Read(p)
	d.failed = err
	return n, err
}

// Close closes the encoded body.
func (d *decoder) Close() error { return d.encoded.Close() }
