package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/domain"
)

// chatPage is what the list of assistants to talk to shows.
type chatPage struct {
	Assistants []domain.Project
	Next       string
}

func (x *request) chat() error {
	after, err := x.cursor(domain.ProjectList)
	if err != nil {
		return err
	}
	page, err := x.console.service.ChatAssistants(x.Context(), x.Call(), after, pageSize)
	if err != nil {
		return err
	}
	return x.show("chat", "Chat", chatPage{Assistants: page.Items, Next: x.next(page.Next, domain.ProjectList)})
}

// talkPage is what the chat with one assistant shows. The script of the page shows a conversation
// by itself. Without it, the page has the last turn.
type talkPage struct {
	ID           domain.ProjectID
	Name         string
	Login        string // tells logins apart, so that the script shows no conversation of another
	Origins      string // those whose pictures and audio may be shown
	Conversation string

	Begun    bool // a turn was sent
	Ended    bool
	Said     string
	Messages []message
	Choices  []choice
}

// talkTo returns the page of the assistant that the path names, for a new conversation. Its answer
// may show what the assistant shows.
func (x *request) talkTo() (talkPage, error) {
	p, err := x.console.service.ChatAssistant(x.Context(), x.Call(), x.Param("id"))
	if err != nil {
		return talkPage{}, hidden(err)
	}
	x.pictures = p.PictureOrigins
	conversation, err := x.console.service.NewRequestID()
	if err != nil {
		return talkPage{}, err
	}
	origins := make([]string, len(p.PictureOrigins))
	for i, origin := range p.PictureOrigins {
		origins[i] = string(origin)
	}
	return talkPage{ID: p.ID, Name: p.Name, Login: x.loginMark(), Origins: strings.Join(origins, " "), Conversation: conversation}, nil
}

// loginMark returns a text that differs between logins and tells nothing else.
func (x *request) loginMark() string {
	caller := x.Call().Caller
	hash := sha256.Sum256([]byte(string(caller.ID) + "\n" + string(caller.Login.ID)))
	return hex.EncodeToString(hash[:8])
}

func (x *request) talk() error {
	page, err := x.talkTo()
	if err != nil {
		return err
	}
	return x.show("chat_talk", page.Name, page)
}

// turn sends a turn to the assistant. The script of the page asks for events or for JSON, and gets
// the answer of Voiceflow as it comes. Without the script, the answer is the page with the turn.
func (x *request) turn() error {
	in, err := x.fields()
	if err != nil {
		return err
	}
	turn := app.ChatTurn{Project: x.Param("id"), ChatTurn: domain.ChatTurn{
		Conversation: in.text("conversation"), Launch: in.checked("launch"), Text: in.text("message"), Choice: in.text("choice"),
	}}
	if !x.wantsData() {
		return x.turnAsPage(turn, in.text("label"))
	}
	turn.Stream = x.wantsEvents()
	out, err := x.converse(turn)
	if err == nil && turn.Stream && cantStream(out.Answer.StatusCode) {
		_ = out.Answer.Body.Close()
		turn.Stream = false
		out, err = x.converse(turn)
	}
	if err != nil {
		return hidden(err)
	}
	x.passOn(out)
	return nil
}

// converse sends the turn.
func (x *request) converse(turn app.ChatTurn) (forward.Result, error) {
	return x.Forward(func() (forward.Result, error) {
		out, err := x.console.service.Chat(x.Context(), x.Call(), turn)
		return out, asking(err)
	})
}

// asking makes the failure of a key one that tells who talks to the assistant what to do.
func asking(err error) error {
	switch domain.KindOf(err) {
	case domain.CredentialsRejected:
		return &domain.Error{Kind: domain.CredentialsRejected, Public: "Voiceflow rejected the key of this assistant. Ask your admin to set a new one", Cause: err}
	case domain.NeedsReentry:
		return &domain.Error{Kind: domain.NeedsReentry, Public: "the key of this assistant can't be decrypted. Ask your admin to set it again", Cause: err}
	}
	return err
}

// cantStream reports whether Voiceflow answers so for an assistant that has no streams. Nothing of
// the turn was carried out then.
func cantStream(status int) bool {
	return status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusNotAcceptable || status == http.StatusNotImplemented
}

// passOn writes the answer of Voiceflow. If a stream breaks, it ends with an event that says why.
func (x *request) passOn(out forward.Result) {
	if strings.HasPrefix(out.Answer.Header.Get("Content-Type"), "text/event-stream") {
		out.Answer.Body = &explained{ReadCloser: out.Answer.Body, why: x.lastEvent}
	}
	x.Pass(out)
}

// lastEvent returns the event that ends a stream that broke.
func (x *request) lastEvent(err error) []byte {
	x.Broken(err)
	f := x.Failure(asking(err))
	data, _ := json.Marshal(failed{Message: sentence(f.Message), Code: f.Code, RequestID: f.RequestID}) // texts always marshal
	return append(append([]byte("\n\nevent: problem\ndata: "), data...), "\n\n"...)
}

// explained is a body that ends with an explanation if it breaks.
type explained struct {
	io.ReadCloser

	why  func(error) []byte
	last *bytes.Reader // the explanation, once it broke
}

// Read reads the body.
func (e *explained) Read(p []byte) (int, error) {
	if e.last != nil {
		return e.last.Read(p)
	}
	n, err := e.ReadCloser.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	e.last = bytes.NewReader(e.why(err))
	return n, nil
}

// maxTurn is the most of an answer that a page without a script shows, in bytes.
const maxTurn = 4 << 20

// answer sends the turn and reads the beginning of the answer.
func (x *request) answer(turn app.ChatTurn) (forward.Result, []byte, error) {
	out, err := x.converse(turn)
	if err != nil {
		return out, nil, err
	}
	defer func() { _ = out.Answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(out.Answer.Body, maxTurn))
	return out, body, err
}

// turnAsPage sends the turn and answers with the page that shows it. label is the text of the
// button that was chosen. A turn whose conversation no page has made begins a new one: what was sent
// in its place may be a key, and the page shows the conversation.
func (x *request) turnAsPage(turn app.ChatTurn, label string) error {
	page, err := x.talkTo()
	if err != nil {
		return err
	}
	page.Said = turn.Text
	if turn.Choice != "" {
		page.Said = clipped(label, maxLabel)
	}
	if domain.HoldsCredential(page.Said) {
		page.Said = "(not shown, because it may hold a key)"
	}
	if domain.IsChatConversation(turn.Conversation) {
		page.Conversation, page.Begun = turn.Conversation, !turn.Launch
	}
	turn.Conversation = page.Conversation
	out, body, err := x.answer(turn)
	switch domain.KindOf(err) {
	case domain.NotAllowed, domain.NotAuthenticated: // the grant was revoked, or the login has ended, meanwhile
		return hidden(err)
	}
	if err != nil {
		return x.again(err, "chat_talk", page.Name, page)
	}
	page.Begun = true
	if status := out.Answer.StatusCode; status >= http.StatusBadRequest {
		page.Messages = []message{{Note: "Voiceflow answered with status " + strconv.Itoa(status) + "."}}
	} else {
		page.Messages, page.Choices, page.Ended = shownTraces(body, x.pictures)
	}
	return x.show("chat_talk", page.Name, page)
}

// wantsEvents reports whether the client asks for server-sent events.
func (x *request) wantsEvents() bool {
	return strings.Contains(x.Request().Header.Get("Accept"), "text/event-stream")
}

// wantsData reports whether the client is the script of a page, which asks for events or for JSON.
func (x *request) wantsData() bool {
	return x.wantsEvents() || strings.HasPrefix(x.Request().Header.Get("Accept"), "application/json")
}

// hidden makes an assistant that may not be used one that does not exist.
func hidden(err error) error {
	if domain.KindOf(err) == domain.NotAllowed {
		return &domain.Error{Kind: domain.NotFound, Public: "there is no such assistant, or it is not granted to you", Cause: err}
	}
	return err
}
