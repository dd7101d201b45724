package e2e

import (
	"encoding/json"
	"sync"
	"testing"
)

// TestAUserHasAtMost100AccessTokens creates more access tokens at the same time than are left.
// On Postgres two instances create them.
func TestAUserHasAtMost100AccessTokens(t *testing.T) {
	const most, before, atOnce = 100, 98, 24
	eachDatabase(t, func(t *testing.T, database string) {
		m, p := newPlace(t, database)
		if database != "" {
			p = p.spread(m)
		}
		eve := p.newUser("eve", "admin")
		b := p.login("eve")
		params := body{"name": "x", "scopes": []string{"manage"}}
		for range before {
			newToken(b, params)
		}
		var mu sync.Mutex
		got := map[string]int{}
		start := make(chan struct{})
		var creating sync.WaitGroup
		for i := range atOnce {
			at := b.at([]*server{p.here, p.there}[i%2].url)
			creating.Go(func() {
				<-start
				a, err := at.try("POST", "/create_access_token", withPassword(params))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				got[a.String()]++
			})
		}
		close(start)
		creating.Wait()
		if got["200"] != most-before || got["409 conflict"] != atOnce-(most-before) {
			t.Errorf("got %v, want %d times 200, and 409 conflict", got, most-before)
		}
		var list struct {
			Tokens []struct{ User string } `json:"access_tokens"`
		}
		if err := json.Unmarshal([]byte(p.boss.want(p.boss.get("/get_access_tokens"), "200").text), &list); err != nil {
			t.Fatal(err)
		}
		if len(list.Tokens) != most || list.Tokens[0].User != eve {
			t.Errorf("there are %d access tokens, want %d of eve's", len(list.Tokens), most)
		}
	})
}
