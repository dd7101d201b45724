package memory_test

import (
	"errors"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

// open returns the same store as another instance too: two instances share one memory.
func open(_ *testing.T, now ports.Clock) portstest.Store {
	s := memory.New(now)
	store := portstest.Store{Ports: s.Ports(), Archive: s.Archive()}
	store.Another = func(*testing.T) portstest.Store { return portstest.Store{Ports: s.Ports(), Archive: s.Archive()} }
	store.Records = func(*testing.T) []domain.Record { return s.Records() }
	store.StopWrites = func(*testing.T) func() {
		s.StopWrites()
		return s.AllowWrites
	}
	store.Break = func(*testing.T) { s.Break() }
	return store
}

func TestAll(t *testing.T) { portstest.All(t, open) }

func TestArchive(t *testing.T) { portstest.Archive(t, open) }

func TestAuditFiles(t *testing.T) {
	portstest.AuditFiles(t, func(*testing.T) portstest.AuditFilesPlace {
		files := &memory.AuditFiles{}
		return portstest.AuditFilesPlace{
			Files: files, Content: func(_ *testing.T, name string) string { return string(files.Content(name)) },
			Break: func(*testing.T) { files.Break(true) },
		}
	})
}

func TestCipher(t *testing.T) {
	portstest.Cipher(t, func(t *testing.T) ports.Cipher {
		c := memory.NewCipher()
		if err := c.Prepare(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		return c
	})
}

func TestKeyring(t *testing.T) {
	portstest.Keyring(t, func(*testing.T) portstest.Keyset {
		first := memory.NewCipher()
		return portstest.Keyset{Open: func(*testing.T) portstest.KeysetInstance {
			c := first.Another()
			return portstest.KeysetInstance{Cipher: c, Keyring: c}
		}}
	})
}

func TestPseudonyms(t *testing.T) {
	portstest.Pseudonyms(t, func(*testing.T) ports.Pseudonyms { return memory.NewPseudonyms() })
}

func TestPasswordHasher(t *testing.T) {
	portstest.PasswordHasher(t, func(*testing.T) ports.PasswordHasher { return memory.PasswordHasher{} })
}

func TestMendedStoreIsAsItWas(t *testing.T) {
	s := memory.New(time.Now)
	want := domain.Project{ID: "01890000-0000-7000-8000-000000000001", Name: "Tico"}
	if err := s.Ports().Projects.Add(t.Context(), domain.Act{By: domain.Operator()}, want); err != nil {
		t.Fatal(err)
	}
	s.Break()
	if _, err := find(t, s, want.ID); !errors.Is(err, domain.Unavailable) {
		t.Fatalf("Find in a broken store: got %v, want %v", err, domain.Unavailable)
	}
	s.Mend()
	if got, err := find(t, s, want.ID); err != nil || len(got) != 1 || !got[0].Equal(want) {
		t.Fatalf("Find in a mended store: got %v, %v, want %v", got, err, want)
	}
}

func find(t *testing.T, s *memory.Store, id domain.ProjectID) ([]domain.Project, error) {
	t.Helper()
	return s.Ports().Projects.Find(t.Context(), domain.Operator().Sees(), domain.ProjectRef{ID: id})
}

// Whoever holds sealed bytes that went into the store or came out of it can't change what is
// stored.
func TestSealedBytesAreTheStoresOwn(t *testing.T) {
	s := memory.New(time.Now)
	p := domain.Project{ID: "01890000-0000-7000-8000-000000000001", Name: "Tico"}
	p.PutKey(domain.SlotPrimary, domain.Sealed{Key: "k", Bytes: []byte("sealed")}, time.Now(), time.Now())
	spoil := func(bytes []byte) { bytes[0] = 'X' }
	want := func(what string) {
		t.Helper()
		got, err := find(t, s, p.ID)
		if err != nil || len(got) != 1 || string(got[0].Primary.Sealed.Bytes) != "sealed" {
			t.Fatalf("after %s: got %v and error %v, want the sealed bytes unchanged", what, got, err)
		}
		spoil(got[0].Primary.Sealed.Bytes)
	}
	operator := domain.Act{By: domain.Operator()}
	if err := s.Ports().Projects.Add(t.Context(), operator, p); err != nil {
		t.Fatal(err)
	}
	spoil(p.Primary.Sealed.Bytes)
	want("Add")
	want("Find")
	refused := errors.New("refused")
	if _, err := s.Ports().Projects.Update(t.Context(), operator, p.ID, func(p *domain.Project) error {
		spoil(p.Primary.Sealed.Bytes)
		return refused
	}); !errors.Is(err, refused) {
		t.Fatalf("Update: got error %v, want %v", err, refused)
	}
	want("an Update that is refused")
	next := []byte("sealed")
	stored, err := s.Ports().Projects.Update(t.Context(), operator, p.ID, func(p *domain.Project) error {
		p.PutKey(domain.SlotPrimary, domain.Sealed{Key: "l", Bytes: next}, time.Now(), time.Now())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	spoil(next)
	want("Update")
	spoil(stored.Primary.Sealed.Bytes)
	want("what Update returns")
	rows, err := s.Ports().Sealings.Page(t.Context(), "", domain.SealedRef{}, 10)
	if err != nil || len(rows) != 1 {
		t.Fatalf("Page of what is sealed: got %v and error %v, want one row", rows, err)
	}
	spoil(rows[0].Sealed.Bytes)
	want("a page of what is sealed")
}

func TestWithoutAClockTheTimeIsNow(t *testing.T) {
	if _, err := memory.New(nil).Ports().Sweeper.Sweep(t.Context(), 1); err != nil {
		t.Errorf("got error %v", err)
	}
}

func TestIdentityProvider(t *testing.T) {
	portstest.IdentityProvider(t, func(_ *testing.T, now ports.Clock) (ports.IdentityProvider, portstest.ProviderControl) {
		p := memory.NewIdentityProvider("https://login.example", now)
		return p, p
	})
}
