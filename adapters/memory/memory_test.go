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

// open hands out the same store as another instance too: two that share one memory.
func open(t *testing.T, now ports.Clock) portstest.Store {
	s := memory.New(now)
	views := func(*testing.T) portstest.Store {
		return portstest.Store{
			Projects: s.Projects(), Users: s.Users(), Sessions: s.Sessions(), Callers: s.Callers(), Access: s.Access(),
			AccessTokens: s.AccessTokens(), Conversations: s.Conversations(), Usage: s.Usage(), AuditLog: s.AuditLog(),
			Installation: s.Installation(), Sealings: s.Sealings(), Archive: s.Archive(),
		}
	}
	store := views(t)
	store.Records = func(*testing.T) []domain.Record { return s.Records() }
	store.Another = views
	store.Break = func(*testing.T) { s.Break() }
	return store
}

func TestProjectRepository(t *testing.T) { portstest.ProjectRepository(t, open) }

// A program may bring a ProjectRepository alone, without users and sessions beside it.
func TestProjectRepositoryAlone(t *testing.T) {
	portstest.ProjectRepository(t, func(t *testing.T, now ports.Clock) portstest.Store {
		s := memory.New(now)
		return portstest.Store{Projects: s.Projects(), Records: func(*testing.T) []domain.Record { return s.Records() }}
	})
}

func TestUserRepository(t *testing.T) { portstest.UserRepository(t, open) }

func TestSessionStore(t *testing.T) { portstest.SessionStore(t, open) }

func TestCallers(t *testing.T) { portstest.Callers(t, open) }

func TestAccess(t *testing.T) { portstest.Access(t, open) }

func TestAccessTokens(t *testing.T) { portstest.AccessTokens(t, open) }

func TestConversations(t *testing.T) { portstest.Conversations(t, open) }

func TestUsage(t *testing.T) { portstest.Usage(t, open) }

func TestAuditLog(t *testing.T) { portstest.AuditLog(t, open) }

func TestSealings(t *testing.T) { portstest.Sealings(t, open) }
func TestArchive(t *testing.T)  { portstest.Archive(t, open) }

func TestInstallation(t *testing.T) { portstest.Installation(t, open) }

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
	if err := s.Projects().Add(t.Context(), want, domain.Sealed{}, domain.Record{}); err != nil {
		t.Fatal(err)
	}
	s.Break()
	if _, err := s.Projects().Find(t.Context(), domain.Operator().Sees(), domain.ProjectRef{ID: want.ID}); !errors.Is(err, domain.Unavailable) {
		t.Fatalf("Find in a broken store: got %v, want %v", err, domain.Unavailable)
	}
	s.Mend()
	got, err := s.Projects().Find(t.Context(), domain.Operator().Sees(), domain.ProjectRef{ID: want.ID})
	if err != nil || len(got) != 1 || got[0] != want {
		t.Fatalf("Find in a mended store: got %v, %v, want %v", got, err, want)
	}
}
