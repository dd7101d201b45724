package console_test

import (
	"net/http"
	"strings"
	"testing"
)

// conversation has the form of the conversations that the pages make.
const conversation = "0190b2c4-8d1e-4f60-9a3b-5c7d9e1f2a4b"

// TestTheChatListsWhatOneMayTalkTo checks who sees which assistants.
func TestTheChatListsWhatOneMayTalkTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pizza, trains := w.add(t, 0), w.add(t, 1)
	w.member.get(t, "/chat").want(t, http.StatusOK, "Ask an admin to grant you one.")
	w.grant(t, "member", pizza)
	w.grant(t, "member", trains, "transcripts")
	w.member.get(t, "/chat").want(t, http.StatusOK, "/chat/"+string(pizza.ID), "Pizza").wantNo(t, string(trains.ID))
	w.admin.get(t, "/chat").want(t, http.StatusOK, "/chat/"+string(pizza.ID), "/chat/"+string(trains.ID))
}

// TestAnAssistantThatIsNotGrantedDoesNotExist checks that the pages of the chat do not tell.
func TestAnAssistantThatIsNotGrantedDoesNotExist(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	there := string(w.add(t, 0).ID)
	missing := there[:len(there)-6] + "ffffff"
	for _, accept := range []string{"text/html", "application/json", "text/event-stream"} {
		t.Run(accept, func(t *testing.T) {
			t.Parallel()
			b := w.login(t, "member")
			b.header.Set("Accept", accept)
			for _, send := range []func(id string) *page{
				func(id string) *page { return b.get(t, "/chat/"+id) },
				func(id string) *page {
					return b.post(t, "/chat/"+id+"/turn", "message", "hi", "conversation", conversation)
				},
			} {
				one, other := send(there), send(missing)
				one.want(t, http.StatusNotFound)
				other.want(t, http.StatusNotFound)
				if a, b := withoutID(one), withoutID(other); a != b {
					t.Errorf("%s: the answers differ:\n%s\n%s", one.of, a, b)
				}
			}
		})
	}
}

// withoutID returns the page without its request id.
func withoutID(p *page) string { return strings.ReplaceAll(p.text, p.header.Get("X-Request-Id"), "") }

// TestATurn checks the three forms of an answer.
func TestATurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pizza := w.add(t, 0)
	w.grant(t, "member", pizza)
	path := "/chat/" + string(pizza.ID)
	w.member.get(t, path).want(t, http.StatusOK, `name="conversation"`, "Start")
	turn := func(accept string, fields ...string) *page {
		w.member.header.Set("Accept", accept)
		return w.member.post(t, path+"/turn", append(fields, "conversation", conversation)...)
	}
	turn("text/html", "message", "two <b>pizzas</b>").want(t, http.StatusOK, "two &lt;b&gt;pizzas&lt;/b&gt;", `value="`+conversation+`"`).wantNo(t, "<b>pizzas")
	turn("application/json", "message", "hi").want(t, http.StatusOK, `"type":"text"`)
	events := turn("text/event-stream", "message", "hi").want(t, http.StatusOK, "event: trace", "event: end")
	if got := events.header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") {
		t.Errorf("the events have the type %q", got)
	}
	turn("text/html").want(t, http.StatusBadRequest, "The turn is empty; write a message.", "<form")
	turn("application/json", "message", strings.Repeat("a", 20<<10)).want(t, http.StatusBadRequest, `"code":"invalid_request"`)
	turn("text/html", "choice", `{"type":"path-x","payload":{"label":"One"}}`, "label", "One").want(t, http.StatusOK, "One")
	turn("text/html", "choice", `"text"`).want(t, http.StatusBadRequest)
}

// TestATurnThatHoldsAKey checks that a page shows no key that was sent to it, also if the turn works.
// Each answer is searched for the key.
func TestATurnThatHoldsAKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pizza := w.add(t, 0)
	w.grant(t, "member", pizza)
	path := "/chat/" + string(pizza.ID) + "/turn"
	choice := `{"type":"path-x","payload":{"label":"One"}}`
	w.member.post(t, path, "message", "hi", "conversation", otherKey).want(t, http.StatusOK, `name="conversation"`, "hi")
	w.member.post(t, path, "message", "hi", "conversation", "c1").want(t, http.StatusOK, `name="conversation"`).wantNo(t, `"c1"`)
	w.member.post(t, path, "choice", choice, "label", otherKey, "conversation", conversation).want(t, http.StatusOK, "it may hold a key", `value="`+conversation+`"`)
	w.member.post(t, path, "message", otherKey, "launch", "true", "conversation", conversation).want(t, http.StatusBadRequest, "it may hold a key")
	w.member.header.Set("Accept", "application/json")
	w.member.post(t, path, "message", "hi", "conversation", otherKey).want(t, http.StatusBadRequest, "start again")
}

// TestATurnWithoutALogin checks what the script of the page is told.
func TestATurnWithoutALogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/chat/" + string(w.add(t, 0).ID) + "/turn"
	w.nobody.header.Set("Accept", "text/event-stream")
	w.nobody.post(t, path, "message", "hi", "conversation", conversation).want(t, http.StatusUnauthorized, `"code":"not_authenticated"`, `"request_id":"`)
	w.nobody.header.Set("Accept", "text/html")
	w.nobody.post(t, path, "message", "hi", "conversation", conversation).wantTo(t, "/console/login")
}
