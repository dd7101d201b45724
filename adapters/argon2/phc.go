package argon2

import (
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The lengths in bytes of new salts and hashes.
const (
	saltLength = 16
	hashLength = 32
)

// The bounds of a cost that Verify accepts. They leave room to raise the cost for many years.
// They keep a hash from a foreign database from stopping the service.
const (
	minMemory = 8         // KiB for each lane (RFC 9106, section 3.1)
	maxMemory = 256 << 10 // KiB
	maxPasses = 10
	maxLanes  = 8
)

// cost holds the settings of Argon2id.
type cost struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint8
}

// phc is a hash with its salt and its cost.
type phc struct {
	cost cost
	salt []byte
	hash []byte
}

// text returns p in the PHC string format
// (https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md).
func (p phc) text() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.cost.memory, p.cost.passes, p.cost.lanes,
		base64.RawStdEncoding.EncodeToString(p.salt), base64.RawStdEncoding.EncodeToString(p.hash))
}

// parse reads what text returns. It rejects any other spelling and a cost out of bounds.
func parse(text string) (phc, bool) {
	if len(text) > 256 {
		return phc{}, false
	}
	fields := strings.Split(text, "$")
	if len(fields) != 6 {
		return phc{}, false
	}
	var p phc
	if _, err := fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &p.cost.memory, &p.cost.passes, &p.cost.lanes); err != nil {
		return phc{}, false
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(fields[4])
	hash, hashErr := base64.RawStdEncoding.DecodeString(fields[5])
	if saltErr != nil || hashErr != nil {
		return phc{}, false
	}
	p.salt, p.hash = salt, hash
	return p, p.cost.sane() && len(salt) >= 8 && len(salt) <= 64 && len(hash) >= 16 && len(hash) <= 64 && p.text() == text
}

func (c cost) sane() bool {
	return 1 <= c.passes && c.passes <= maxPasses && 1 <= c.lanes && c.lanes <= maxLanes &&
		minMemory*uint32(c.lanes) <= c.memory && c.memory <= maxMemory
}
