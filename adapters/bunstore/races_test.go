package bunstore_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/postgrestest"
	"github.com/flowlatch/flowlatch/ports"
)

// crossfire is many callers at once on a few users and projects, by way of two
// instances. Half of what they do stands on a login or an access token of one of the users,
// who lose their rights meanwhile.
type crossfire struct {
	stores [2]ports.Store
	number atomic.Int64

	mu     sync.Mutex
	logins []domain.Session
	tokens []domain.AccessToken
	rows   map[string]int // how many audit rows there must be of a request
	kinds  map[domain.Kind]int
}

func TestNothingOutlivesWhatLetItInUnderCrossfire(t *testing.T) {
	eachDialect(t, func(t *testing.T, database newDatabase) {
		const callers, calls = 8, 240
		address := database(t)
		options := bunstore.Options{Now: clockAt(1000), MaxConns: callers, Timeout: time.Minute}
		c := crossfire{
			stores: [2]ports.Store{migrated(t, address, options).Ports(), open(t, address, options).Ports()},
			rows:   map[string]int{}, kinds: map[domain.Kind]int{},
		}
		var all sync.WaitGroup
		for n := range callers {
			all.Go(func() {
				random := rand.New(rand.NewPCG(uint64(n), 7))
				for range calls {
					name, err := c.call(t.Context(), random)
					switch kind := domain.KindOf(err); {
					case err == nil:
					case slices.Contains([]domain.Kind{domain.NotAuthenticated, domain.NotAllowed, domain.NotFound, domain.AlreadyAdded, domain.Conflict, domain.NeedsReentry}, kind):
						c.mu.Lock()
						c.kinds[kind]++
						c.mu.Unlock()
					default:
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		}
		all.Wait()
		if c.kinds[domain.NotAuthenticated] == 0 || c.kinds[domain.NotAllowed] == 0 {
			t.Errorf("got the errors %v, want some of callers whose right was gone", c.kinds)
		}

		db := beside(t, address)
		for what, statement := range map[string]string{
			"sessions let in by a grant that does not exist": `SELECT count(*) FROM sessions s WHERE s.kind = 'assistant' AND NOT s.by_role
				AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.user_id = s.user_id AND g.project_id = s.project_id)`,
			"sessions let in by the role of one who is no admin": `SELECT count(*) FROM sessions s WHERE s.by_role
				AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = s.user_id AND u.role = 'admin')`,
			"sessions of users who are gone or disabled": `SELECT count(*) FROM sessions s WHERE
				NOT EXISTS (SELECT 1 FROM users u WHERE u.id = s.user_id AND NOT u.disabled)`,
			// The agent of a login tells the password that it was opened with.
			"sessions opened with another password": `SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id
				WHERE s.kind = 'login' AND s.agent <> u.password_hash`,
			"access tokens of a user who is gone": `SELECT count(*) FROM access_tokens t WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = t.user_id)`,
			"access tokens for a project that is gone": `SELECT count(*) FROM access_tokens t
				WHERE t.project_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM projects p WHERE p.id = t.project_id)`,
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
			if r.Action != domain.ActionMakeAdmin { // it comes beside the row of the change
				got[r.RequestID]++
			}
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
	act := c.act(random, record(fmt.Sprintf("request-%d", number)))
	switch random.IntN(23) {
	case 0:
		return c.written("Projects.Add", act, true, s.Projects.Add(ctx, act, p))
	case 1:
		return c.written("Projects.Remove", act, true, s.Projects.Remove(ctx, act, p.ID))
	case 2:
		return c.perhaps("Grants.Put", act, s.Grants.Put(ctx, act, user, p2.ID, 0, time.Unix(1, 0)))
	case 3:
		return c.perhaps("Grants.Remove", act, s.Grants.Remove(ctx, act, user, p2.ID))
	case 4:
		u := domain.NewUser(user, domain.Username(user), domain.RoleAdmin, domain.NewSecret("hash"), []domain.ProjectID{p2.ID}, time.Unix(1, 0))
		return c.written("Users.Create", act, true, s.Users.Create(ctx, act, u))
	case 5:
		return c.written("Users.Remove", act, true, s.Users.Remove(ctx, act, user, func(u *domain.User, otherAdmin bool) error {
			return u.MayBeDeleted("nobody", otherAdmin)
		}))
	case 6, 7:
		return c.update(ctx, s, random, act, user, p2.ID)
	case 8, 9:
		u, err := s.Users.Find(ctx, domain.UserRef{ID: user})
		if err != nil {
			return "Users.Find", err
		}
		l := login(id, user)
		l.Agent = u.PasswordHash.Reveal()
		if err = s.Sessions.OpenLogin(ctx, l, u.PasswordHash, act.Record); err == nil {
			c.mu.Lock()
			c.logins = append(c.logins, l)
			c.mu.Unlock()
		}
		return c.written("OpenLogin", act, true, err)
	case 10, 11, 12:
		l := c.recall(random)
		a := assistant(id, 0)
		a.User, a.Login, a.Project, a.ByRole = l.User, l.ID, p2.ID, random.IntN(2) == 0
		_, err = s.Sessions.OpenAssistant(ctx, setting(a, act.Record.RequestID), a)
		return c.written("OpenAssistant", act, true, err)
	case 13:
		switch random.IntN(8) {
		case 0, 1, 2:
			return c.end(ctx, s, act, domain.OneSession(c.recall(random).ID))
		case 3:
			return c.end(ctx, s, act, domain.SessionsOf(user))
		case 4:
			return "Touch", s.Sessions.Touch(ctx, c.recall(random).ID, domain.SessionUse{SealedBy: "key"})
		}
		return "Touch", s.Sessions.Touch(ctx, c.recall(random).ID, domain.SessionUse{At: time.Unix(1500, 0), Idle: time.Unix(2500, 0)})
	case 14, 15:
		return c.createToken(ctx, s, random, act, user, p2.ID)
	case 16:
		return c.written("Tokens.Remove", act, true, s.Tokens.Remove(ctx, act, c.token(random).ID))
	case 17, 18:
		token := c.token(random)
		talk := someConversation(domain.ConversationID(fmt.Sprintf("conversation-%d", number)), 1900)
		talk.Project, talk.UserID, talk.Token = cmp.Or(token.Project, p.ID), fmt.Sprint("pseudonym ", random.IntN(3)), token.ID
		return "Conversations.Open", s.Conversations.Open(ctx, talk)
	case 19:
		if random.IntN(2) == 0 {
			return "Usage.Add", s.Usage.Add(ctx, nil, map[domain.TokenID]time.Time{c.token(random).ID: time.Unix(number, 0), c.token(random).ID: time.Unix(number, 0)})
		}
		status := []domain.KeyStatus{domain.KeyOK, domain.KeyRejected}[random.IntN(2)]
		return c.note(ctx, s, act, p.ID, func(p *domain.Project) bool { return p.Mark(p.Primary.Sealed, status, time.Unix(number, 0)) })
	case 20:
		slot, as := domain.Slots()[random.IntN(2)], domain.Description{Name: fmt.Sprint("name ", random.IntN(3))}
		_, err = s.Projects.Update(ctx, act, p.ID, func(p *domain.Project) error {
			p.PutKey(slot, someKey, time.Unix(number, 0), time.Unix(number, 0))
			p.Describe(as)
			return nil
		})
		return c.written("Projects.Update", act, true, err)
	}
	return c.rewrap(ctx, s, random, act)
}

// act is what the operator does, or somebody with one of the last logins or access tokens,
// who may have lost them.
func (c *crossfire) act(random *rand.Rand, rec domain.Record) domain.Act {
	needs := []domain.Need{domain.NeedsCaller(), domain.NeedsAdmin(), domain.NeedsAdmin(), domain.NeedsUse(project(random.IntN(3)).ID, domain.DefaultScopes())}
	a := domain.Act{By: domain.Operator(), Needs: needs[random.IntN(len(needs))], Record: rec}
	switch random.IntN(4) {
	case 0:
		a.By = domain.CallerByLogin(c.recall(random), domain.RoleAdmin)
	case 1:
		a.By = domain.CallerByToken(c.token(random), domain.RoleAdmin)
	}
	return a
}

// update changes something of a user.
func (c *crossfire) update(ctx context.Context, s ports.Store, random *rand.Rand, act domain.Act, user domain.UserID, id domain.ProjectID) (string, error) {
	what, hash, changed := random.IntN(4), fmt.Sprint("hash ", random.IntN(2)), false
	_, err := s.Users.Update(ctx, act, user, func(u *domain.User, otherAdmin bool) (err error) {
		was := *u
		switch what {
		case 0:
			err = u.SetDisabled(!u.Disabled, otherAdmin)
		case 1:
			role := domain.RoleAdmin
			if u.Role == role {
				role = domain.RoleMember
			}
			err = u.SetRole(role, otherAdmin)
		case 2:
			u.PasswordHash = domain.NewSecret(hash)
		case 3:
			u.SetAssistants([]domain.ProjectID{id})
		}
		changed = !was.Changed(*u).Equal(was)
		return err
	}, domain.Kept{})
	return c.written("Users.Update", act, changed, err)
}

// end ends sessions.
func (c *crossfire) end(ctx context.Context, s ports.Store, act domain.Act, which domain.SessionsToEnd) (string, error) {
	ended, err := s.Sessions.End(ctx, act, which)
	return c.written("Sessions.End", act, ended != domain.SessionsEnded{}, err)
}

// createToken makes an access token for the project or with ScopeManage.
func (c *crossfire) createToken(ctx context.Context, s ports.Store, random *rand.Rand, act domain.Act, user domain.UserID, id domain.ProjectID) (string, error) {
	token := someToken(user)
	token.ID, token.Project = domain.TokenID("token of "+act.Record.RequestID), id
	if random.IntN(2) == 0 {
		token.Project, token.Scopes = "", domain.ScopesOf(domain.ScopeManage)
	}
	if act.By.ID != "" {
		token.User, act.Needs = act.By.ID, token.Needs()
	}
	err := s.Tokens.Create(ctx, act, token, sha256.Sum256([]byte(token.ID)))
	if err == nil {
		c.mu.Lock()
		c.tokens = append(c.tokens, token)
		c.mu.Unlock()
	}
	return c.written("Tokens.Create", act, true, err)
}

// note changes something of a project on nobody's right.
func (c *crossfire) note(ctx context.Context, s ports.Store, act domain.Act, id domain.ProjectID, change func(*domain.Project) bool) (string, error) {
	var news bool
	err := s.Projects.Note(ctx, id, func(p *domain.Project) bool {
		news = change(p)
		return news
	}, act.Record)
	return c.written("Projects.Note", act, news, err)
}

// rewrap replaces everything that is sealed, or now and then ends all sessions of a key.
func (c *crossfire) rewrap(ctx context.Context, s ports.Store, random *rand.Rand, act domain.Act) (string, error) {
	if random.IntN(8) == 0 {
		return c.end(ctx, s, act, domain.SessionsSealedBy("", true))
	}
	rows, err := s.Sealings.Page(ctx, "", domain.SealedRef{}, 100)
	if err != nil || len(rows) == 0 {
		return "Sealings.Page", err
	}
	row, opens := rows[random.IntN(len(rows))], random.IntN(2) == 0
	if row.Ref.Kind == domain.SealedProjectKey && random.IntN(4) == 0 {
		return c.note(ctx, s, act, domain.ProjectID(row.Ref.ID), func(p *domain.Project) bool { return p.MarkOpens(row.Sealed, opens) })
	}
	again := make([]domain.Resealed, len(rows))
	for i, r := range rows {
		again[i] = domain.Resealed{Ref: r.Ref, From: r.Sealed, To: domain.Sealed{Key: r.Sealed.Key, Bytes: append([]byte("x"), r.Sealed.Bytes...)}}
	}
	random.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
	_, err = s.Sealings.Replace(ctx, again)
	return "Replace", err
}

// written notes how many audit rows a call has: one if it succeeds and changes something.
func (c *crossfire) written(name string, act domain.Act, changed bool, err error) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rows[act.Record.RequestID] = 0
	if err == nil && changed {
		c.rows[act.Record.RequestID] = 1
	}
	return name, err
}

// perhaps is written for a call that does not tell whether it changes something.
func (c *crossfire) perhaps(name string, act domain.Act, err error) (string, error) {
	if err != nil {
		return c.written(name, act, false, err)
	}
	return name, nil
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
	go func() { removed <- s.Ports().Projects.Remove(t.Context(), act("remove"), "project-1") }()
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

// TestAChangeThatWaitedSeesTheKeyThatCameMeanwhile has a key come into the empty slot while a
// change waits for the project.
func TestAChangeThatWaitedSeesTheKeyThatCameMeanwhile(t *testing.T) {
	t.Parallel()
	address := postgrestest.DSN(t)
	s := furnished(t, address, bunstore.Options{Timeout: time.Minute}).Ports()
	db := beside(t, address)
	other, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Rollback() }()
	for _, statement := range []string{
		`UPDATE projects SET secondary_status = 'ok'`,
		`UPDATE project_keys SET sealed = CAST('replaced' AS bytea)`,
		`INSERT INTO project_keys (project_id, slot, key_id, sealed) SELECT id, 'secondary', '2', CAST('new' AS bytea) FROM projects`,
	} {
		if _, err := other.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	type result struct {
		project domain.Project
		err     error
	}
	updated := make(chan result, 1)
	go func() {
		p, err := s.Projects.Update(t.Context(), act("update"), "project-1", func(p *domain.Project) error {
			p.MarkCredits(domain.CreditsUsedUp)
			return nil
		})
		updated <- result{p, err}
	}()
	for count(t, db, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 0 {
	}
	if err := other.Commit(); err != nil {
		t.Fatal(err)
	}
	got := <-updated
	replaced, came := domain.Sealed{Key: "1", Bytes: []byte("replaced")}, domain.Sealed{Key: "2", Bytes: []byte("new")}
	if got.err != nil || !got.project.Primary.Sealed.Equal(replaced) || !got.project.Secondary.Sealed.Equal(came) ||
		got.project.Credits != domain.CreditsUsedUp {
		t.Errorf("got %+v and error %v, want both keys of the other transaction", got.project, got.err)
	}
}
