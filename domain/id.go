package domain

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"
)

// ProjectID is this service's own id of a project: a UUIDv7 as a lower-case text of 36
// characters.
type ProjectID string

// SessionID is the id of a session: a UUIDv7 as text. It is not a secret, since the cookie that
// carries it is sealed.
type SessionID string

// UserID is the id of a user. The ids of this service are UUIDv7 as text. Those of a host program
// are any text that ParseUserID reads.
type UserID string

// NewProjectID makes an id from the time now and 10 bytes of random.
func NewProjectID(now time.Time, random io.Reader) (ProjectID, error) {
	id, err := newUUID(now, random)
	return ProjectID(id), err
}

// NewSessionID makes an id from the time now and 10 bytes of random.
func NewSessionID(now time.Time, random io.Reader) (SessionID, error) {
	id, err := newUUID(now, random)
	return SessionID(id), err
}

// NewUserID makes an id from the time now and 10 bytes of random.
func NewUserID(now time.Time, random io.Reader) (UserID, error) {
	id, err := newUUID(now, random)
	return UserID(id), err
}

// NewRequestID makes an id from the time now and 10 bytes of random. The answer, the log lines
// and the audit row of a request have the same id.
func NewRequestID(now time.Time, random io.Reader) (string, error) { return newUUID(now, random) }

// ParseUserID reads 1 to 128 bytes of UTF-8 without control characters. Returns Invalid for any
// other text.
func ParseUserID(text string) (UserID, error) {
	text, err := parseText("user_id", text, 128)
	if err != nil {
		return "", err
	}
	return UserID(text), nil
}

// newUUID makes a version 7 UUID: 48 bits of Unix milliseconds, then 74 random bits (RFC 9562,
// section 5.7).
func newUUID(now time.Time, random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[6:]); err != nil {
		return "", fmt.Errorf("domain: no randomness for an id: %w", err)
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(b[:6], ms[2:])
	b[6] = 0x70 | b[6]&0x0f
	b[8] = 0x80 | b[8]&0x3f
	h := hex.EncodeToString(b[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-"), nil
}

// isUUID reports whether text has the form of a lower-case UUID of any version.
func isUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i, c := range []byte(text) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if !isLowerHex(c) {
			return false
		}
	}
	return true
}

func isLowerHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }
