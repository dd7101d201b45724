package argon2_test

import (
	"context"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/ccojocar/zxcvbn-go/frequency"

	"github.com/flowlatch/flowlatch/adapters/argon2"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

// cheap is for tests that are not about what a hash costs.
var cheap = argon2.Options{MemoryKiB: 8, Passes: 1}

func TestPasswordHasher(t *testing.T) {
	portstest.PasswordHasher(t, func(*testing.T) ports.PasswordHasher { return argon2.New(cheap) })
}

func secret(text string) domain.Secret { return domain.NewSecret(text) }

func hash(t *testing.T, h *argon2.Hasher, password string) domain.Secret {
	t.Helper()
	hashed, err := h.Hash(t.Context(), secret(password))
	if err != nil {
		t.Fatalf("Hash: got error %v, want success", err)
	}
	return hashed
}

func verify(t *testing.T, h *argon2.Hasher, password string, hash domain.Secret) bool {
	t.Helper()
	ok, err := h.Verify(t.Context(), secret(password), hash)
	if err != nil {
		t.Fatalf("Verify: got error %v, want success", err)
	}
	return ok
}

func TestTheDefaultsAreThoseOfOWASP(t *testing.T) {
	h := argon2.New(argon2.Options{})
	hashed := hash(t, h, "vast orange tundra")
	if form := regexp.MustCompile(`^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`); !form.MatchString(hashed.Reveal()) {
		t.Errorf("Hash: got another form than %v", form)
	}
	if !verify(t, h, "vast orange tundra", hashed) {
		t.Error("Verify of the password: got false, want true")
	}
	if verify(t, h, "vast orange tundra ", hashed) {
		t.Error("Verify of another password: got true, want false")
	}
}

func TestTwoHashesOfAPasswordDiffer(t *testing.T) {
	h := argon2.New(cheap)
	if hash(t, h, "vast orange tundra").Equal(hash(t, h, "vast orange tundra")) {
		t.Error("Hash: got the same twice, want another salt each time")
	}
}

func TestHashesWithOtherSettingsVerify(t *testing.T) {
	for _, tc := range []struct{ name, hash string }{
		// Both from the tests of the reference implementation, github.com/P-H-C/phc-winner-argon2, test.c.
		{"of 256 KiB", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
		{"of 64 MiB", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := argon2.New(cheap)
			if !verify(t, h, "password", secret(tc.hash)) {
				t.Error("Verify of the password: got false, want true")
			}
			if verify(t, h, "passwords", secret(tc.hash)) {
				t.Error("Verify of another password: got true, want false")
			}
		})
	}
}

func TestOptionsOutOfBoundsGiveHashesThatVerify(t *testing.T) {
	for _, o := range []argon2.Options{
		{MemoryKiB: 8, Passes: 1 << 20},
		{MemoryKiB: 1, Passes: 1, Lanes: 255, AtOnce: -1},
	} {
		h := argon2.New(o)
		if !verify(t, h, "vast orange tundra", hash(t, h, "vast orange tundra")) {
			t.Errorf("Verify of the password with %+v: got false, want true", o)
		}
	}
}

func TestWhatIsNoHashIsOfNoPassword(t *testing.T) {
	h := argon2.New(cheap)
	good := hash(t, h, "vast orange tundra").Reveal()
	fields := strings.Split(good, "$")
	with := func(i int, field string) string {
		other := append([]string(nil), fields...)
		other[i] = field
		return strings.Join(other, "$")
	}
	for name, text := range map[string]string{
		"no hash":                       "",
		"a password in clear":           "vast orange tundra",
		"a hash of bcrypt":              "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"Argon2i":                       with(1, "argon2i"),
		"an older version":              with(2, "v=16"),
		"no version":                    with(2, ""),
		"a leading zero":                with(3, "m=08,t=1,p=1"),
		"a space":                       with(3, "m=8,t=1,p=1 "),
		"a negative number":             with(3, "m=8,t=-1,p=1"),
		"no passes":                     with(3, "m=8,t=0,p=1"),
		"no lanes":                      with(3, "m=8,t=1,p=0"),
		"less memory than lanes need":   with(3, "m=8,t=1,p=2"),
		"another setting":               with(3, "m=8,t=1,p=1,keyid=x"),
		"no salt":                       with(4, ""),
		"a short salt":                  with(4, "c2FsdA"),
		"a salt with a line break":      with(4, fields[4][:5]+"\n"+fields[4][5:]),
		"no hash behind the salt":       with(5, ""),
		"a short hash":                  with(5, fields[5][:8]),
		"padding":                       good + "=",
		"trailing bits in the encoding": good[:len(good)-1] + string(good[len(good)-1]+1),
		"a line break":                  good + "\n",
		"one field more":                good + "$",
		"one field less":                strings.Join(fields[:5], "$"),
	} {
		if verify(t, h, "vast orange tundra", secret(text)) {
			t.Errorf("Verify with %s: got true, want false", name)
		}
	}
	if verify(t, h, "", domain.Secret{}) {
		t.Error("Verify of nothing with no hash: got true, want false")
	}
}

// What Argon2 costs shows in the memory that it takes, which no machine does faster.
func TestAHashOfNobodyCostsWhatAnyOtherDoes(t *testing.T) {
	h := argon2.New(argon2.Options{})
	good := hash(t, h, "vast orange tundra")
	wrongPassword := allocated(func() { verify(t, h, "another", good) })
	for name, text := range map[string]string{
		"an unknown user":        "",
		"a foreign hash":         "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"4 GiB of memory":        "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"four billion passes":    "$argon2id$v=19$m=8,t=4294967295,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"255 lanes":              "$argon2id$v=19$m=19456,t=2,p=255$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"memory beyond 32 bits":  "$argon2id$v=19$m=4294967304,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"lanes beyond eight bit": "$argon2id$v=19$m=8,t=1,p=257$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
	} {
		got := allocated(func() {
			if verify(t, h, "another", secret(text)) {
				t.Errorf("Verify with %s: got true, want false", name)
			}
		})
		if difference := max(got, wrongPassword) - min(got, wrongPassword); difference > 1<<20 {
			t.Errorf("memory to verify with %s: got %d KiB, want about the %d KiB of a wrong password", name, got>>10, wrongPassword>>10)
		}
	}
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestCommonPasswordsAreRefused(t *testing.T) {
	h := argon2.New(cheap)
	common := []string{
		"password1", "Password", "PASSWORD", "P@ssw0rd", "Password123!", "iloveyou", "qwerty123", "qwertyuiop", "1qaz2wsx",
		"12345678", "87654321", "11111111", "abcd1234", "aaaaaaaa", strings.Repeat("a", 128), "asdfghjkl", "sunshine1",
		"trustno1", "letmein1", "welcome1", "admin123", "changeme123", "19901231", "elizabeth", "jonathan",
	}
	for _, word := range frequency.Lists["Passwords"].List {
		if len(word) >= 8 {
			common = append(common, word, strings.ToUpper(word))
		}
	}
	if len(common) < 3000 {
		t.Fatalf("the list has %d passwords of 8 characters, want at least 3,000 in two cases", len(common))
	}
	for _, password := range common {
		if _, err := h.Hash(t.Context(), secret(password)); domain.KindOf(err) != domain.Invalid {
			t.Errorf("Hash of %q: got error %v, want kind %q", password, err, domain.Invalid)
		}
	}
}

func TestOrdinaryPasswordsAreTaken(t *testing.T) {
	h := argon2.New(cheap)
	for _, password := range []string{
		"kxvqmzpt", "hwtzqpne", "x9k2m4p7", "J7#kd92m", "plantpot", "correct horse", "correct horse battery staple",
		"Tr0ub4dor&3", "vast orange tundra", "mein Hund heißt Rolf", "пароль верблюда", "密码不是这个好吗朋友", "🐙🦑🦐🦞🦀🐡🐠🐟",
		strings.Repeat("𝔘ñ", 64), strings.Repeat("4@8({[<3691!|70$5+%2", 6) + "x", "\xff\xfe not UTF-8 \xc3",
	} {
		if !verify(t, h, password, hash(t, h, password)) {
			t.Errorf("Verify of %q: got false, want true", password)
		}
	}
}

func TestAnEndedContextIsUnavailable(t *testing.T) {
	h := argon2.New(cheap)
	hashed := hash(t, h, "vast orange tundra")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 16 {
		if hashed, err := h.Hash(ctx, secret("vast orange tundra")); domain.KindOf(err) != domain.Unavailable || !hashed.IsZero() {
			t.Fatalf("Hash: got error %v, want kind %q and no hash", err, domain.Unavailable)
		}
		if ok, err := h.Verify(ctx, secret("vast orange tundra"), hashed); domain.KindOf(err) != domain.Unavailable || ok {
			t.Fatalf("Verify: got %v and error %v, want false and kind %q", ok, err, domain.Unavailable)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	h := argon2.New(cheap)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			hashed, err := h.Hash(t.Context(), secret("vast orange tundra"))
			if err != nil {
				t.Errorf("Hash: got error %v, want success", err)
			}
			if ok, err := h.Verify(t.Context(), secret("vast orange tundra"), hashed); !ok || err != nil {
				t.Errorf("Verify: got %v and error %v, want true", ok, err)
			}
		})
	}
	all.Wait()
}

func FuzzHash(f *testing.F) {
	h := argon2.New(cheap)
	for _, password := range []string{"", "vast orange tundra", "p@$$w0rd", "1/1/1901 12.12.12", "İıſK", "\xff\x00", strings.Repeat("qwe4@", 26)} {
		f.Add(password)
	}
	f.Fuzz(func(t *testing.T, password string) {
		hashed, err := h.Hash(t.Context(), secret(password))
		if err != nil {
			if domain.KindOf(err) != domain.Invalid {
				t.Fatalf("Hash: got error %v, want kind %q", err, domain.Invalid)
			}
			return
		}
		if !verify(t, h, password, hashed) {
			t.Error("Verify of the password: got false, want true")
		}
	})
}
