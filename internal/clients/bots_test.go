package clients

import (
	"testing"
)

// Bots that were written against the older API: they send the session of their turns in a header,
// and save it as a transcript when the conversation ends. The services that they talk to give the
// user ids.
func bots() []client {
	json := []string{"Content-Type: application/json"}
	turn := append([]string{"versionID: production", "sessionID: production.428Monday1796041200000"}, json...)
	legacy := client{
		library: axiosLibrary, version: "production", environments: allOf("production"), aliases: []string{"production", "development"},
		scopes: []string{"converse", "state"},
	}
	discord, twilio, whatsapp := legacy, legacy, legacy
	discord.name = "Discord bot"
	discord.requests = []request{
		{does: "begin", service: runtimeService, method: "POST", path: "/state/user/829734098273498123/interact", header: turn,
			body: `{"action":{"type":"launch"},"config":{"tts":false,"stripSSML":true}}`},
		{does: "a message", service: runtimeService, method: "POST", path: "/state/user/829734098273498123/interact", header: turn,
			body: `{"action":{"type":"text","payload":"one Margherita"},"config":{"tts":false,"stripSSML":true}}`},
		{does: "a button", service: runtimeService, method: "POST", path: "/state/user/829734098273498123/interact", header: turn,
			body: `{"action":{"type":"path-k3f","payload":{"label":"Yes"}},"config":{"tts":false,"stripSSML":true}}`},
		{does: "save the transcript", service: apiService, method: "PUT", path: "/v2/transcripts", header: json, status: 503,
			body:    `{"browser":"Discord","device":"desktop","os":"macOS","sessionID":"production.428Monday1796041200000","unread":true,"versionID":"production","projectID":"$project","user":{"name":"Ben","image":"https://cdn.example/ben.png"}}`,
			differs: map[string]string{"answer Content-Type": retired, "answer body": retired}},
		{does: "forget the user", service: runtimeService, method: "DELETE", path: "/state/user/829734098273498123", header: []string{"versionID: production"}},
	}
	twilio.name = "Twilio bot"
	twilio.requests = []request{
		{does: "a call comes in", service: runtimeService, method: "POST", path: "/state/user/+390612345678/interact", header: turn,
			body: `{"action":{"type":"launch"},"config":{"tts":false,"stripSSML":true,"stopTypes":["DTMF"]}}`},
		{does: "what the caller said", service: runtimeService, method: "POST", path: "/state/user/+390612345678/interact", header: turn,
			body: `{"request":{"type":"text","payload":"one Margherita"},"config":{"tts":false,"stripSSML":true}}`},
		{does: "no reply", service: runtimeService, method: "POST", path: "/state/user/+390612345678/interact", header: turn,
			body: `{"action":{"type":"no-reply"},"config":{"tts":false,"stripSSML":true}}`},
		{does: "the call ends", service: runtimeService, method: "POST", path: "/state/user/+390612345678/interact", header: turn,
			body: `{"action":{"type":"text","payload":"bye"},"config":{"tts":false,"stripSSML":true}}`},
	}
	whatsapp.name = "WhatsApp bot"
	whatsapp.requests = []request{
		{does: "set who talks", service: runtimeService, method: "PATCH", path: "/state/user/whatsapp:%2B390612345678/variables", header: json,
			body: `{"user_id":"whatsapp:+390612345678","user_name":"Ben"}`, differs: map[string]string{"environment": noEnvironment}},
		{does: "a message", service: runtimeService, method: "POST", path: "/state/user/whatsapp:%2B390612345678/interact", header: turn,
			body: `{"action":{"type":"text","payload":"ciao 🍕"},"config":{"tts":false,"stripSSML":true,"stopTypes":["DTMF"]}}`},
		{does: "the state, asked with a body", service: runtimeService, method: "GET", path: "/state/user/whatsapp:%2B390612345678", header: turn,
			body: `{"user_id":"whatsapp:+390612345678"}`, differs: map[string]string{"body": "a read has no body at Voiceflow", "environment": "the state began when the variables were set"}},
	}
	telegram := legacy // in Python, with a session for each chat, and a look at what was saved
	telegram.name, telegram.library, telegram.scopes = "Telegram bot", pythonHTTPX, []string{"converse", "state", "transcripts"}
	chat := append([]string{"versionID: production", "sessionID: chat-42"}, json...)
	telegram.requests = []request{
		{does: "begin, with variables", service: runtimeService, method: "POST", path: "/state/user/42/interact?logs=off&locale=it-IT", header: append(chat, "platform: telegram"),
			body: `{"action": {"type": "launch"}, "state": {"variables": {"name": "Ben"}}, "config": {"tts": false, "stopAll": true, "excludeTypes": ["block", "debug", "flow"]}}`},
		{does: "a message", service: runtimeService, method: "POST", path: "/state/user/42/interact", header: chat, body: `{"action": {"type": "text", "payload": "one Margherita"}}`},
		{does: "the session that the bot used", service: analyticsService, method: "POST", path: "/v1/transcript/project/$project?take=1", header: json,
			body: `{"sessionID": "chat-42"}`, keeps: map[string]string{"transcript": "transcripts.0.id"}},
		{does: "what was said in it", service: analyticsService, method: "GET", path: "/v1/transcript/$transcript"},
		{does: "the same in the stable API", service: realtimeService, method: "POST", path: "/v1/stable/transcript/search?projectID=$project", header: json,
			body: `{"sessionID": "chat-42"}`},
		{does: "a session that nobody used", service: analyticsService, method: "POST", path: "/v1/transcript/project/$project", header: json, body: `{"sessionID": "chat-43"}`},
	}
	streaming := legacy // against the API that streams the turns
	streaming.name, streaming.library, streaming.scopes = "streaming bot", undici, []string{"converse", "state"}
	events := append([]string{"Accept: text/event-stream"}, json...)
	stream := "/v2/project/$project/user/ben%20b/interact/stream?environment=production"
	streaming.requests = []request{
		{does: "launch", service: runtimeService, method: "POST", path: stream, header: events, body: `{"action":{"type":"launch"}}`},
		{does: "a text, word by word", service: runtimeService, method: "POST", path: stream + "&completion_events=true&modality=chat&userTimezone=Europe%2FRome", header: events,
			body: `{"action":{"type":"text","payload":"one Margherita"},"sessionID":"order-7"}`},
		{does: "the state at the end", service: runtimeService, method: "POST", path: stream + "&state=true&audio_events=true&audio_encoding=audio/mp3", header: events,
			body: `{"action":{"type":"text","payload":"and a salad"},"variables":{"name":"Ben"}}`},
		{does: "the earlier stream", service: runtimeService, method: "POST", path: "/v2beta1/interact/$project/production/stream", header: events,
			body: `{"action":{"type":"launch"},"session":{"userID":"ben","sessionID":"order-7"}}`},
	}
	saving := legacy // of a private cloud, where transcripts are still saved by the bot
	saving.name, saving.saves, saving.scopes = "saving bot", true, []string{"converse", "transcripts"}
	saving.requests = []request{
		{does: "begin", service: runtimeService, method: "POST", path: "/state/user/+390612345678/interact", header: turn, body: `{"action":{"type":"launch"}}`},
		{does: "save", service: apiService, method: "PUT", path: "/v2/transcripts", header: json,
			body: `{"browser":"Twilio","device":"Phone","os":"Twilio","sessionID":"production.428Monday1796041200000","unread":true,"versionID":"production","projectID":"$project","user":{"name":"+390612345678"}}`},
		{does: "a page saves under the user id", service: apiService, method: "PUT", path: "/v2/transcripts", header: append([]string{"versionID: production"}, json...),
			body:    `{"projectID":"$project","versionID":"production","sessionID":"+390612345678","user":{"name":"GUEST_USER"}}`,
			differs: map[string]string{"header Versionid": "Voiceflow reads the environment of this call from the body"}},
		{does: "list", service: apiService, method: "GET", path: "/v2/transcripts/$project", header: json, keeps: map[string]string{"transcript": "0._id"}},
		{does: "read", service: apiService, method: "GET", path: "/v2/transcripts/$project/$transcript", header: json},
		{does: "find", service: analyticsService, method: "POST", path: "/v1/transcript/project/$project", header: json, body: `{"sessionID":"production.428Monday1796041200000"}`},
	}
	return []client{discord, twilio, whatsapp, telegram, streaming, saving}
}

// retired is why an answer has another body.
const retired = "Voiceflow's page of HTML becomes an error that a program can read"

// noEnvironment is why a call that names no environment is answered by another one.
const noEnvironment = "Voiceflow uses development, and Flowlatch the default of the assistant"

func TestBots(t *testing.T) { runAll(t, bots()) }
