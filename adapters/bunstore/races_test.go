package bunstore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
)

// crossfire is many callers at once on a few users and projects, by way of two
// instances.
type crossfire struct {
	stores [2]*bunstore.Store
	number atomic.Int64

	mu     sync.Mutex
	logins []domain.Session
	tokens []domain.AccessToken
	rows   map[string]int // how many audit rows there must be of a request
}

func TestNothingOutlivesWhatLetItInUnderCrossfire(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		const callers, calls = 8, 240
		address := database(t)
		options := bunstore.Options{Now: clockAt(1000), MaxConns: callers, Timeout: time.Minute}
		c := crossfire{
			stores: [2]*bunstore.Store{migrated(t, address, options), open(t, address, options)},
			rows:   map[string]int{},
		}
		var all sync.WaitGroup
		for n := range callers {
			all.Go(func() {
				random := rand.New(rand.NewPCG(uint64(n), 7))
				for range calls {
					if name, err := c.call(t.Context(), random); err != nil {
						switch domain.KindOf(err) {
						case domain.NotAllowed, domain.NotFound, domain.AlreadyAdded, domain.Conflict:
						default:
							t.Errorf("%s: %v", name, err)
						}
					}
				}
			})
		}
		all.Wait()

		db := beside(t, address)
		for what, statement := range map[string]string{
			"let in by a grant that is not there": `SELECT count(*) FROM sessions s WHERE s.kind = 'assistant' AND NOT s.by_role
				AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.user_id = s.user_id AND g.project_id = s.project_id)`,
			"let in by the role of one who is no admin": `SELECT count(*) FROM sessions s WHERE s.by_role
				AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = s.user_id AND u.role = 'admin')`,
			"of users who are gone or disabled": `SELECT count(*) FROM sessions s WHERE
				NOT EXISTS (SELECT 1 FROM users u WHERE u.id = s.user_id AND NOT u.disabled)`,
			// The agent of a login tells the password that it was opened with.
			"opened with another password": `SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id
				WHERE s.kind = 'login' AND s.agent <> u.password_hash`,
		} {
			if n := count(t, db, statement); n != 0 {
				t.Errorf("got %d sessions %s, want none", n, what)
			}
		}
		for what, statement := range map[string]string{
			"access tokens of a user who is gone": `SELECT count(*) FROM access_tokens t WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = t.user_id)`,
			"access tokens for a project that is gone": `SELECT count(*) FROM access_tokens t
				WHERE NOT EXISTS (SELECT 1 FROM projects p WHERE p.id = t.project_id)`,
			"conversations of an access token that is gone": `SELECT count(*) FROM conversations c
				WHERE NOT EXISTS (SELECT 1 FROM access_tokens t WHERE t.id = c.token_id)`,
		} {
			if n := count(t, db, statement); n != 0 {
				t.Errorf("got %d %s, want none", n, what)
			}
		}
		if n := count(t, db, `SELECT count(*) FROM users WHERE role = 'admin' AND NOT disabled`); n == 0 {
			t.Error("no admin is left")
		}
		got := map[string]int{}
		for _, r := range records(t, db) {
			got[r.RequestID]++
		}
		for request, rows := range c.rows {
			if got[request] != rows {
				t.Errorf("%s: got %d audit rows, want %d", request, got[request], rows)
			}
		}
	})
}

// call makes one call at random.
func (c *crossfire) call(ctx context.Context, random *rand.Rand) (name string, err error) {
	s := c.stores[random.IntN(len(c.stores))]
	n := random.IntN(3)
	p, user := project(n), domain.UserID(fmt.Sprintf("user-%d", n))
	p2 := project(random.IntN(3))
	number := c.number.Add(1)
	id := domain.SessionID(fmt.Sprintf("session-%d", number))
	rec := record(fmt.Sprintf("request-%d", number))
	switch random.IntN(23) {
	case 0:
		name, err = "Add", s.Projects().Add(ctx, p, someKey, rec)
	case 1:
		name, err = "Remove", s.Projects().Remove(ctx, p.ID, rec)
	case 2:
		return "Grant", s.Projects().Grant(ctx, user, p2.ID, 0, time.Unix(1, 0), rec)
	case 3:
		return "Revoke", s.Projects().Revoke(ctx, user, p2.ID, rec)
	case 4:
		u := domain.NewUser(user, domain.Username(user), domain.RoleAdmin, domain.NewSecret("hash"), []domain.ProjectID{p2.ID}, time.Unix(1, 0))
		name, err = "Create", s.Users().Create(ctx, u, rec)
	case 5:
		name, err = "Users.Remove", s.Users().Remove(ctx, user, func(u *domain.User, otherAdmin bool) error {
			return u.MayBeDeleted("nobody", otherAdmin)
		}, rec)
	case 6, 7:
		what := random.IntN(4)
		_, err := s.Users().Update(ctx, user, func(u *domain.User, otherAdmin bool) error {
			switch what {
			case 0:
				return u.SetDisabled(!u.Disabled, otherAdmin)
			case 1:
				if u.Role == domain.RoleAdmin {
					return u.SetRole(domain.RoleMember, otherAdmin)
				}
				return u.SetRole(domain.RoleAdmin, otherAdmin)
			case 2:
				u.PasswordHash = domain.NewSecret(fmt.Sprintf("hash %d", number%2))
			case 3:
				u.SetAssistants([]domain.ProjectID{p2.ID})
			}
			return nil
		}, "", rec)
		return "Update", err
	case 8, 9:
		u, err := s.Users().Find(ctx, user)
		if err != nil {
			return "Users.Find", err
		}
		l := login(id, user)
		l.Agent = u.PasswordHash.Reveal()
		name, err = "OpenLogin", s.Sessions().OpenLogin(ctx, l, u.PasswordHash, rec)
		if err == nil {
			c.remember(l)
		}
		return c.written(name, err, rec)
	case 10, 11, 12:
		l := c.recall(random)
		a := assistant(id, 0)
		a.User, a.Login, a.Project, a.ByRole = l.User, l.ID, p2.ID, random.IntN(2) == 0
		_, err = s.Sessions().OpenAssistant(ctx, a, rec)
		name = "OpenAssistant"
	case 13:
		switch random.IntN(8) {
		case 0, 1, 2:
			name, err = "End", s.Sessions().End(ctx, c.recall(random).ID, "", rec)
			return c.written(name, err, rec)
		case 3:
			return "EndAll", s.Sessions().EndAll(ctx, user, rec)
		case 4:
			return "MarkSealed", s.Sessions().MarkSealed(ctx, c.recall(random).ID, "key")
		}
		return "Touch", s.Sessions().Touch(ctx, c.recall(random).ID, time.Unix(1500, 0), time.Unix(2500, 0))
	case 14, 15:
		token := someToken(user)
		token.ID, token.Project = domain.TokenID(fmt.Sprintf("token-%d", number)), p2.ID
		var hash domain.TokenHash
		copy(hash[:], token.ID)
		name, err = "AccessTokens.Create", s.AccessTokens().Create(ctx, token, hash, rec)
		if err == nil {
			c.mu.Lock()
			c.tokens = append(c.tokens, token)
			c.mu.Unlock()
		}
	case 16:
		name, err = "AccessTokens.Remove", s.AccessTokens().Remove(ctx, c.token(random).ID, "", rec)
	case 17, 18:
		token := c.token(random)
		talk := someConversation(domain.ConversationID(fmt.Sprintf("conversation-%d", number)), 1900)
		talk.Project, talk.UserID, talk.Token = token.Project, fmt.Sprint("pseudonym ", random.IntN(3)), token.ID
		return "Conversations.Open", s.Conversations().Open(ctx, talk)
	case 19:
		if random.IntN(2) == 0 {
			return "Used", s.AccessTokens().Used(ctx, map[domain.TokenID]time.Time{c.token(random).ID: time.Unix(number, 0), c.token(random).ID: time.Unix(number, 0)})
		}
		return "MarkKey", s.Projects().MarkKey(ctx, p.ID, domain.SlotPrimary, []domain.KeyStatus{domain.KeyOK, domain.KeyRejected}[random.IntN(2)], time.Time{}, rec)
	case 20:
		as := domain.Description{Name: fmt.Sprint("name ", random.IntN(3))}
		name = "PutKey"
		_, err = s.Projects().PutKey(ctx, p.ID, domain.Slots()[random.IntN(2)], someKey, as, time.Unix(number, 0), rec)
	case 21, 22:
		return rewrap(ctx, s, random, rec)
	}
	return c.written(name, err, rec)
}

// rewrap replaces everything that is sealed, or now and then ends all sessions of a key.
func rewrap(ctx context.Context, s *bunstore.Store, random *rand.Rand, rec domain.Record) (string, error) {
	if random.IntN(8) == 0 {
		_, err := s.Sealings().EndSealedBy(ctx, "", true, rec)
		return "EndSealedBy", err
	}
	rows, err := s.Sealings().Page(ctx, "", domain.SealedRef{}, 100)
	if err != nil || len(rows) == 0 {
		return "Sealings.Page", err
	}
	if row := rows[random.IntN(len(rows))]; random.IntN(4) == 0 {
		return "Mark", s.Sealings().Mark(ctx, row, random.IntN(2) == 0, rec)
	}
	again := make([]domain.Resealed, len(rows))
	for i, r := range rows {
		again[i] = domain.Resealed{Ref: r.Ref, From: r.Sealed, To: domain.Sealed{Key: r.Sealed.Key, Bytes: append([]byte("x"), r.Sealed.Bytes...)}}
	}
	random.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
	_, err = s.Sealings().Replace(ctx, again)
	return "Replace", err
}

// written notes how many audit rows a call has that succeeds by changing something only.
func (c *crossfire) written(name string, err error, rec domain.Record) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rows[rec.RequestID] = 0
	if err == nil {
		c.rows[rec.RequestID] = 1
	}
	return name, err
}

func (c *crossfire) remember(login domain.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logins = append(c.logins, login)
}

// recall is one of the last logins.
func (c *crossfire) recall(random *rand.Rand) domain.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.logins) == 0 {
		return login("none", "user-0")
	}
	return c.logins[max(0, len(c.logins)-1-random.IntN(6))]
}

// token is one of the very last access tokens: those before have mostly gone.
func (c *crossfire) token(random *rand.Rand) domain.AccessToken {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tokens) == 0 {
		return domain.AccessToken{ID: "none", Project: "project-1"}
	}
	return c.tokens[max(0, len(c.tokens)-1-random.IntN(3))]
}

func TestADeadlockIsTriedAgain(t *testing.T) {
	t.Parallel()
	address := postgrestest.DSN(t)
	s := furnished(t, address, bunstore.Options{Timeout: time.Minute})
	db := beside(t, address)
	other, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Rollback() }()
	// The other transaction locks the grant and then the project, against our order.
	if _, err := other.ExecContext(t.Context(), `SELECT FROM grants FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	removed := make(chan error, 1)
	go func() { removed <- s.Projects().Remove(t.Context(), "project-1", record("remove")) }()
	for count(t, db, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 0 {
	}
	// Whoever has waited longer is the one whose statement fails: we, unless this machine
	// is very slow.
	if _, err := other.ExecContext(t.Context(), `SELECT FROM projects FOR UPDATE`); err != nil {
		t.Logf("the other transaction had to give way: %v", err)
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-removed; err != nil {
		t.Errorf("Remove in a deadlock: %v", err)
	}
}
