package clients

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// TestAVoiceflowKeyThatIsSentIsToldToBeReplaced sends keys in the places where clients put them, to
// every kind of path, with and without other credentials. Nothing repeats, logs or stores a key.
func TestAVoiceflowKeyThatIsSentIsToldToBeReplaced(t *testing.T) {
	a := voiceflowtest.NewAssistant("Pizza Palace", voiceflowtest.Shape2024)
	v := startVoiceflow(t, a)
	var log lines
	in := newInstallation(t, v, logging(&log))
	project := in.add(t, a, a.VersionID, "")
	ben := in.member(t, "ben", project, "converse")
	ben.want(t, "POST", "/set_project", encoded(map[string]any{"project_id": project}))
	token := in.token(t, project, []string{"converse"}, nil)
	before := v.Received()
	const interact = "/voiceflow/general-runtime/state/user/x/interact"
	const mark = "CaNaRy"
	keys := map[string]string{
		"of a project":               "VF.DM.65f1c0ffee0123456789abcd." + mark + "0123456789",
		"of a workspace":             "VF.WS.65f1c0ffee0123456789abcd." + mark + "0123456789",
		"of a workspace, once":       "VF.65f1c0ffee0123456789abcd." + mark + "0123456789",
		"with a long tail":           "VF.DM.65f1c0ffee0123456789abcd." + strings.Repeat(mark, 9),
		"that was cut off":           "VF.DM." + mark,
		"in capitals":                "vf.dm.65f1c0ffee0123456789abcd." + mark,
		"a personal access token":    "vfp_" + mark + "_0123456789",
		"that opens this assistant":  a.Key,
		"that opens no assistant":    voiceflowtest.NewKey(),
		"of a project, with ciphers": "VF.DM.65F1C0FFEE0123456789ABCD." + mark,
	}
	send := func(name string, wantStatus int, method, path string, headers ...string) {
		t.Helper()
		status, code, message, whole := in.refused(t, method, path, "{}", headers...)
		told := strings.HasPrefix(message, "this service wants an access token (flk_…) in Authorization and not a Voiceflow key; ") && strings.Contains(message, "replace it at Voiceflow")
		if status != wantStatus || code != "not_authenticated" || !told {
			t.Errorf("%s: %s %s: got %d %s %s", name, method, path, status, code, message)
		}
		if holdsAny(whole, keys) || strings.Contains(whole, mark) {
			t.Errorf("%s: the answer shows a key: %s", name, whole)
		}
	}
	for name, key := range keys {
		for _, value := range []string{
			key, "Bearer " + key, "bearer  " + key, "Bearer\t" + key, " " + key + " ", "Bearer Bearer " + key, "Token " + key, `"` + key + `"`, `Bearer "` + key + `",`,
		} {
			send(name, 401, "POST", interact, authorization(value)...)
		}
		send(name+", beside cookies", 401, "POST", interact, append(ben.header(), authorization(key)...)...)
		send(name+", beside an access token", 401, "POST", interact, append(authorization(token), authorization(key)...)...)
		for _, header := range []string{"X-Api-Key", "x-api-key", "Api-Key", "apikey", "Proxy-Authorization", "X-Access-Token"} {
			send(name+" in "+header, 401, "POST", interact, append(authorization(token), header, key)...)
		}
		for _, query := range []string{"api_key=", "apiKey=", "key=", "a=b&Authorization=Bearer+", "token=", "access_token="} {
			send(name+" in "+query, 401, "POST", interact+"?"+query+url.QueryEscape(key), authorization(token)...)
		}
		for _, call := range [][2]string{
			{"GET", "/voiceflow"}, {"GET", "/voiceflow/"}, {"GET", "/voiceflow/api"}, {"POST", "/voiceflow/api/"}, {"PUT", "/voiceflow/unknown/x"},
			{"BREW", interact}, {"OPTIONS", interact}, {"GET", interact}, {"GET", "/voiceflow/api//v2/../x"}, {"GET", "/voiceflow%2Fapi/v2/projects"},
			{"POST", "/voiceflow/general-runtime/v4/interact"}, {"GET", "/voiceflow/api/v2/versions/" + a.VersionID + "/export"},
			{"GET", "/check_session"}, {"GET", "/get_projects"}, {"POST", "/add_project"}, {"POST", "/create_access_token"},
		} {
			send(name, 401, call[0], call[1], append(ben.header(), authorization("Bearer "+key)...)...)
		}
		// Paths and queries are not credentials, but are not told or logged either.
		for _, path := range []string{"/voiceflow/general-runtime/" + key, "/voiceflow/" + key + "/x", "/voiceflow/" + token + "/x", "/voiceflow/general-runtime/" + token + "/interact", "/" + key} {
			status, _, _, whole := in.refused(t, "GET", path, "", authorization(token)...)
			if status != 404 || strings.Contains(whole, key) || strings.Contains(whole, token) {
				t.Errorf("%s: got %d %s", path, status, whole)
			}
		}
	}
	if got := v.Received() - before; got != 0 {
		t.Errorf("%d requests came to Voiceflow", got)
	}
	// The audit says that a key was sent, and neither it nor the log has the key or its hash.
	events := in.admin.want(t, "GET", "/get_audit_events?outcome=voiceflow_key_sent", "")
	list, _ := events["events"].([]any)
	told := map[any]bool{}
	for _, e := range list {
		event, _ := e.(map[string]any)
		if told[event["Action"]] = true; event["Actor"] != "nobody" || event["Address"] != "127.0.0.1" {
			t.Errorf("got the row %v", event)
		}
	}
	if !told["forward"] || !told["get_projects"] {
		t.Errorf("the audit tells of keys at %v", told)
	}
	everything := log.String() + encoded(in.admin.want(t, "GET", "/get_audit_events", ""))
	for name, key := range keys {
		if strings.Contains(everything, key) || strings.Contains(everything, mark) || strings.Contains(everything, base64.StdEncoding.EncodeToString([]byte(key))) {
			t.Errorf("the log or the audit has the key %s", name)
		}
	}
}

// holdsAny reports whether the text has one of the keys.
func holdsAny(text string, keys map[string]string) bool {
	for _, key := range keys {
		if strings.Contains(text, key) {
			return true
		}
	}
	return false
}
