package e2e

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// keyState is what the routes show an admin of an assistant's keys.
type keyState struct {
	Status           string    `json:"key_status"`
	Set              time.Time `json:"key_set"`
	Checked          time.Time `json:"key_checked"`
	SecondaryStatus  string    `json:"secondary_status"`
	SecondarySet     time.Time `json:"secondary_set"` // zero if it is null
	SecondaryChecked time.Time `json:"secondary_checked"`
}

// keysOf returns what get_projects shows of the keys.
func keysOf(t *testing.T, admin *browser, id string) keyState {
	t.Helper()
	var said struct {
		Assistants []struct {
			ID string
			keyState
		}
	}
	if err := json.Unmarshal([]byte(admin.want(admin.get("/get_projects"), "200").text), &said); err != nil {
		t.Fatal(err)
	}
	for _, a := range said.Assistants {
		if a.ID == id {
			return a.keyState
		}
	}
	t.Fatalf("there is no assistant %s", id)
	return keyState{}
}

// TestWhatIsKnownBelongsToOneKey holds Voiceflow's answer about the primary key while more is
// found out. What Voiceflow says counts by when it was asked, and for the key that it was
// asked about.
func TestWhatIsKnownBelongsToOneKey(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		_, p := newPlace(t, database)
		for name, test := range map[string]func(t *testing.T, k *knownKeys){
			"an older acceptance":                        olderAcceptance,
			"an older rejection":                         olderRejection,
			"a rejection, and a new secondary key":       rejectionBesideANewKey,
			"a rejection of a key that was replaced":     rejectionOfAReplacedKey,
			"a rejected secondary key beside a good one": rejectedSecondaryKey,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := p.of(t)
				k := &knownKeys{place: p, t: t, assistant: newAssistant(name)}
				k.assistant.SecondKey = voiceflowtest.NewKey()
				k.atVoiceflow(k.assistant.Key, k.assistant.SecondKey)
				k.id = p.boss.want(p.boss.post("/add_project", adding(k.assistant)), "200").added(t).ID
				test(t, k)
			})
		}
	})
}

// knownKeys is an assistant of which the service finds something out.
type knownKeys struct {
	*place
	t         *testing.T
	assistant voiceflowtest.Assistant
	id        string
}

// atVoiceflow makes these the keys that open the assistant.
func (k *knownKeys) atVoiceflow(keys ...string) {
	k.t.Helper()
	a := k.assistant
	a.Key, a.SecondKey = keys[0], ""
	if len(keys) > 1 {
		a.SecondKey = keys[1]
	}
	if err := k.voiceflow.Add(a); err != nil {
		k.t.Fatal(err)
	}
}

func (k *knownKeys) check() {
	k.t.Helper()
	k.boss.want(k.boss.post("/check_project", body{"project_id": k.id}), "200")
}

func (k *knownKeys) set(slot, key string) {
	k.t.Helper()
	k.boss.want(k.boss.post("/set_token", body{"project_id": k.id, "token": key, "slot": slot}), "200")
}

func (k *knownKeys) shown() keyState {
	k.t.Helper()
	return keysOf(k.t, k.boss, k.id)
}

// want compares what is shown.
func (k *knownKeys) want(want keyState) {
	k.t.Helper()
	if got := k.shown(); got != want {
		k.t.Errorf("the routes show\n%+v, want\n%+v", got, want)
	}
}

// held checks the primary key and returns when Voiceflow was asked. The function that it
// returns lets Voiceflow answer.
func (k *knownKeys) held() (finish func()) {
	k.t.Helper()
	gate := k.gates.hold(k.assistant.Key)
	answered := make(chan answer, 1)
	go func() {
		defer close(answered)
		got, err := k.boss.try("POST", "/check_project", body{"project_id": k.id})
		if err != nil {
			k.t.Error(err)
		}
		answered <- got
	}()
	gate.await(k.t)
	return func() {
		k.t.Helper()
		close(gate.opened)
		k.boss.want(<-answered, "200")
	}
}

func olderAcceptance(t *testing.T, k *knownKeys) {
	finish := k.held()
	k.atVoiceflow(voiceflowtest.NewKey())
	k.check()
	known := k.shown()
	if known.Status != "rejected" || !known.Checked.After(known.Set) {
		t.Errorf("the routes show %+v, want the key rejected after it was set", known)
	}
	k.atVoiceflow(k.assistant.Key)
	finish()
	k.want(known)
}

func olderRejection(t *testing.T, k *knownKeys) {
	finish := k.held()
	k.check()
	known := k.shown()
	if known.Status != "ok" || !known.Checked.After(known.Set) {
		t.Errorf("the routes show %+v, want the key accepted after it was set", known)
	}
	k.atVoiceflow(voiceflowtest.NewKey())
	finish()
	k.want(known)
}

func rejectionBesideANewKey(t *testing.T, k *knownKeys) {
	added := k.shown()
	finish := k.held()
	k.set("secondary", k.assistant.SecondKey)
	known := k.shown()
	if known.SecondaryStatus != "ok" || !known.SecondarySet.After(added.Set) || !known.SecondaryChecked.After(added.Checked) || known.SecondaryChecked.After(known.SecondarySet) {
		t.Errorf("the routes show %+v, want the secondary key set and accepted after %+v", known, added)
	}
	k.atVoiceflow(k.assistant.SecondKey)
	finish()
	now := k.shown()
	if now.Status != "rejected" || !now.Checked.After(added.Checked) || now.Checked.After(known.SecondarySet) {
		t.Errorf("the routes show %+v, want the primary key rejected, when Voiceflow was asked", now)
	}
	known.Status, known.Checked = now.Status, now.Checked
	k.want(known)
}

func rejectionOfAReplacedKey(t *testing.T, k *knownKeys) {
	finish := k.held()
	k.set("primary", k.assistant.SecondKey)
	known := k.shown()
	if known.Status != "ok" {
		t.Errorf("the routes show %+v, want the key accepted", known)
	}
	k.atVoiceflow(k.assistant.SecondKey)
	finish()
	k.want(known)
}

func rejectedSecondaryKey(t *testing.T, k *knownKeys) {
	k.set("secondary", k.assistant.SecondKey)
	before := k.shown()
	k.atVoiceflow(k.assistant.Key)
	k.check()
	now := k.shown()
	if now.Status != "ok" || now.SecondaryStatus != "rejected" || !now.Checked.After(before.Checked) || !now.SecondaryChecked.After(before.SecondaryChecked) {
		t.Errorf("the routes show %+v, want the secondary key rejected and both checked after %+v", now, before)
	}
	if !now.Set.Equal(before.Set) || !now.SecondarySet.Equal(before.SecondarySet) {
		t.Errorf("the routes show %+v, want both keys set as in %+v", now, before)
	}
}
