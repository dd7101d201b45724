package portstest

import (
	"context"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// PasswordHasher checks the sentences in the comments of ports.PasswordHasher. The time of a
// call and the number of concurrent hashes can't be seen from outside. It hashes about 150
// times, so an adapter may be opened with less work than usual.
func PasswordHasher(t *testing.T, open func(t *testing.T) ports.PasswordHasher) {
	for _, s := range []struct {
		name string
		run  func(t *testing.T, h ports.PasswordHasher)
	}{
		{"Verify accepts the password of a hash, and no other", hasherVerifies},
		{"Hash is salted, and shows no password", hasherSalts},
		{"Hash of a password that is too common is Invalid", hasherCommon},
		{"Verify is false for the zero hash", hasherZero},
		{"Verify is false for a hash that this hasher did not make", hasherForeign},
		{"Hash and Verify are Unavailable under a context that has ended", hasherEnded},
		{"a call that waits for its turn is Unavailable when the context ends", hasherWaits},
		{"all methods are safe for concurrent use", hasherConcurrent},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, open(t)) })
	}
}

// uncommon is a password that is in no list.
var uncommon = domain.NewSecret("Wx7 tulip-orbit 93 gravel")

func hashOf(t *testing.T, h ports.PasswordHasher, password domain.Secret) domain.Secret {
	t.Helper()
	hash, err := h.Hash(t.Context(), password)
	wantNil(t, "Hash", err)
	if hash.IsZero() {
		t.Fatal("Hash: got success and the zero Secret, want a hash")
	}
	return hash
}

func wantVerified(t *testing.T, what string, h ports.PasswordHasher, password, hash domain.Secret, want bool) {
	t.Helper()
	got, err := h.Verify(t.Context(), password, hash)
	wantNil(t, "Verify of "+what, err)
	if got != want {
		t.Fatalf("Verify of %s: got %v, want %v", what, got, want)
	}
}

// hasherVerifies tries what looks like the password, and passwords that some functions cut
// off at 72 bytes or at a NUL.
func hasherVerifies(t *testing.T, h ports.PasswordHasher) {
	hash := hashOf(t, h, uncommon)
	text := uncommon.Reveal()
	wantVerified(t, "the password", h, uncommon, hash, true)
	for what, other := range map[string]string{
		"no password": "", "the password with a space behind it": text + " ", "the password with a NUL behind it": text + "\x00",
		"the password in capitals": strings.ToUpper(text), "a part of the password": text[:len(text)-1], "the hash itself": hash.Reveal(),
	} {
		wantVerified(t, what, h, domain.NewSecret(other), hash, false)
	}

	// The shortest and the longest password of the domain: 8 and 128 code points of up to four
	// bytes. A hasher must not cut off the end of a long one.
	long := strings.Repeat("🔑", 127) + "🔒"
	for _, odd := range []string{"q7#Zp\tm\n", "pass\u00e9word éñ 句子 שלום", long} {
		secret := domain.NewSecret(odd)
		wantVerified(t, "an odd password", h, secret, hashOf(t, h, secret), true)
	}
	wantVerified(t, "a password of 128 characters that differs in the last one", h,
		domain.NewSecret(strings.Repeat("🔑", 128)), hashOf(t, h, domain.NewSecret(long)), false)
	// Two ways to write é are two passwords: it is taken as it is.
	wantVerified(t, "a password whose letters are composed otherwise", h,
		domain.NewSecret("gravel e\u0301toile 41"), hashOf(t, h, domain.NewSecret("gravel \u00e9toile 41")), false)
}

func hasherSalts(t *testing.T, h ports.PasswordHasher) {
	seen := map[string]bool{}
	for range 4 {
		hash := hashOf(t, h, uncommon)
		if seen[hash.Reveal()] {
			t.Fatal("Hash of the same password: got the same hash twice, want another each time")
		}
		seen[hash.Reveal()] = true
		if strings.Contains(hash.Reveal(), uncommon.Reveal()) {
			t.Fatal("Hash: got a text that holds the password")
		}
		wantVerified(t, "each of the hashes", h, uncommon, hash, true)
	}
}

func hasherCommon(t *testing.T, h ports.PasswordHasher) {
	for _, common := range []string{"password", "12345678"} {
		hash, err := h.Hash(t.Context(), domain.NewSecret(common))
		wantKind(t, "Hash of "+common, err, domain.Invalid)
		if !hash.IsZero() {
			t.Fatalf("Hash of %s: got a hash with the error, want none", common)
		}
	}
	wantVerified(t, "a common password against another's hash", h, domain.NewSecret("password"), hashOf(t, h, uncommon), false)
}

func hasherZero(t *testing.T, h ports.PasswordHasher) {
	for what, password := range map[string]domain.Secret{"a password": uncommon, "the zero Secret": {}} {
		wantVerified(t, what+" against the zero hash", h, password, domain.Secret{}, false)
	}
}

// hasherForeign has hashes that other programs wrote, and such as would cost all memory if
// they were believed.
func hasherForeign(t *testing.T, h ports.PasswordHasher) {
	hash := hashOf(t, h, uncommon).Reveal()
	for what, foreign := range map[string]string{
		"the password in clear": uncommon.Reveal(), "a space": " ", "a word": "hash", "dollars": "$$$$$", "NUL": "\x00", "no UTF-8": "\xff\xfe",
		"bcrypt":                             "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"argon2id without an end":            "$argon2id$v=19$m=19456,t=2,p=1$",
		"argon2id with odd figures":          "$argon2id$v=19$m=0,t=0,p=0$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"argon2id that asks for much memory": "$argon2id$v=19$m=4294967295,t=4294967295,p=255$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"a hash without its end":             hash[:len(hash)-1],
		"a hash without its beginning":       hash[1:],
		"a hash with more behind it":         hash + "A",
		"a hash with a line break behind it": hash + "\n",
		"half a hash":                        hash[:len(hash)/2],
		"a megabyte":                         strings.Repeat("A", 1<<20),
	} {
		wantVerified(t, "the password against "+what, h, uncommon, domain.NewSecret(foreign), false)
	}
}

func hasherEnded(t *testing.T, h ports.PasswordHasher) {
	hash := hashOf(t, h, uncommon)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	// Many times, since a choice between a turn and an ended context may fall either way.
	for range 16 {
		got, err := h.Hash(ctx, uncommon)
		wantKind(t, "Hash under an ended context", err, domain.Unavailable)
		if !got.IsZero() {
			t.Fatal("Hash under an ended context: got a hash with the error, want none")
		}
		for what, hash := range map[string]domain.Secret{"a hash": hash, "the zero hash": {}} {
			ok, err := h.Verify(ctx, uncommon, hash)
			wantKind(t, "Verify of "+what+" under an ended context", err, domain.Unavailable)
			if ok {
				t.Fatalf("Verify of %s under an ended context: got true with the error, want false", what)
			}
		}
	}
}

func hasherWaits(t *testing.T, h ports.PasswordHasher) {
	// The first that is done ends the context of all: who has not had a turn by then
	// must say so, and who has may succeed.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hashes, errs := make([]domain.Secret, crowd), make([]error, crowd)
	atOnce(crowd, func(i int) {
		hashes[i], errs[i] = h.Hash(ctx, uncommon)
		cancel()
	})
	succeeded := 0
	for i, err := range errs {
		if err == nil {
			succeeded++
			if hashes[i].IsZero() {
				t.Fatal("Hash beside others: got success and the zero Secret, want a hash")
			}
		} else {
			wantKind(t, "Hash whose context ended while others were hashed", err, domain.Unavailable)
		}
	}
	if succeeded == 0 {
		t.Fatalf("%d times Hash at once: got no success, want at least the first", crowd)
	}
	wantVerified(t, "the password after all", h, uncommon, hashOf(t, h, uncommon), true)
}

func hasherConcurrent(t *testing.T, h ports.PasswordHasher) {
	problems := make([]string, 8)
	atOnce(len(problems), func(i int) {
		password := domain.NewSecret(strings.Repeat(string(rune('α'+i)), 12) + " orbit")
		hash, err := h.Hash(t.Context(), password)
		if err != nil {
			problems[i] = err.Error()
			return
		}
		mine, err := h.Verify(t.Context(), password, hash)
		other, err2 := h.Verify(t.Context(), uncommon, hash)
		switch {
		case err != nil || err2 != nil:
			problems[i] = "Verify failed"
		case !mine || other:
			problems[i] = "Verify mixed passwords up"
		}
	})
	for _, problem := range problems {
		if problem != "" {
			t.Fatalf("hashing beside others: %s", problem)
		}
	}
}
