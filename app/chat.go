package app

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/flowlatch/flowlatch/app/forward"
	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// ChatTurn is the input of Service.Chat.
type ChatTurn struct {
	Project string // the Id of the assistant
	domain.ChatTurn

	// Stream asks for server-sent events. Without it the answer comes as a whole.
	Stream bool
	// Pieces asks for a text that a model writes while it is written, as completion traces. It
	// counts only with Stream.
	Pieces bool
}

// Chat forwards a turn of the caller to the assistant that it names, and returns the answer, whose
// Body must be closed. It is a forwarded call like any other: it has the caller's rights, rates
// and user ids, and EndLostUses ends it. The caller has a login, which must be in call.Caller, or
// comes from a host program.
//
// Returns Invalid if the turn breaks a rule of domain.ChatTurn. Returns NotAuthenticated for an
// access token, and if nobody is logged in. Returns NotAllowed if the caller may not use the
// assistant, which need not exist; an admin gets NotFound. Returns the errors of
// forward.Forwarder.Forward.
func (s *Service) Chat(ctx context.Context, call domain.Call, in ChatTurn) (forward.Result, error) {
	input, r, err := s.chatCall(ctx, call.Caller, in)
	if err != nil {
		return forward.Result{Caller: call.Caller}, err
	}
	return s.forwarder.Forward(ctx, call, input, r)
}

// chatCall returns the call to forward.
func (s *Service) chatCall(ctx context.Context, c domain.Caller, in ChatTurn) (forward.Input, *http.Request, error) {
	if err := c.MayChat(); err != nil {
		return forward.Input{}, nil, err
	}
	if err := in.Check(); err != nil {
		return forward.Input{}, nil, err
	}
	body, err := chatBody(in.ChatTurn)
	if err != nil {
		return forward.Input{}, nil, err
	}
	project, err := chatProjectID(c, in.Project)
	if err != nil {
		return forward.Input{}, nil, err
	}
	path, query := in.Target(), url.Values(nil)
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}
	if in.Stream {
		// The path has the id of the project at Voiceflow. What the caller may do is for Forward to say.
		p, err := s.chatProject(ctx, c, c.Sees(), project)
		if err != nil {
			return forward.Input{}, nil, err
		}
		path, query = in.StreamTarget(p.Voiceflow, in.Pieces)
		header.Set("Accept", "text/event-stream")
	}
	r := (&http.Request{
		Method: http.MethodPost, URL: &url.URL{Path: path, RawQuery: query.Encode()}, Header: header,
		Body: ports.NewWholeBody(body), ContentLength: int64(len(body)),
	}).WithContext(ctx)
	return forward.Input{Service: string(domain.ServiceRuntime), Path: path, Project: project}, r, nil
}

// chatBody returns the body of the turn for Voiceflow. Returns Invalid unless a choice is a JSON
// object with a type.
func chatBody(t domain.ChatTurn) ([]byte, error) {
	var action any = map[string]string{"type": "text", "payload": t.Text}
	switch {
	case t.Launch:
		action = map[string]string{"type": "launch"}
	case t.Choice != "":
		// A map has each name once, in the case in which it was sent.
		var request map[string]json.RawMessage
		var kind string
		if json.Unmarshal([]byte(t.Choice), &request) != nil || json.Unmarshal(request["type"], &kind) != nil || kind == "" {
			return nil, domain.InvalidChoice()
		}
		action = request
	}
	return json.Marshal(map[string]any{"action": action})
}

// ChatAssistant returns the project of that Id for the chat page, if the caller may talk to it: an
// admin, or a user whose grant has domain.ScopeConverse. Returns NotAllowed if it is not granted
// or does not exist; an admin gets NotFound. Returns NotAuthenticated unless the caller is a user
// with a login or of a host program.
func (s *Service) ChatAssistant(ctx context.Context, call domain.Call, id string) (domain.Project, error) {
	if err := call.Caller.MayChat(); err != nil {
		return domain.Project{}, err
	}
	project, err := chatProjectID(call.Caller, id)
	if err != nil {
		return domain.Project{}, err
	}
	return s.chatProject(ctx, call.Caller, call.Caller.Sees().Within(domain.ScopeConverse), project)
}

// ChatAssistants returns at most limit (1 to paging.Max, otherwise Invalid) of the projects that
// the caller may talk to and that come after the cursor, ordered by the bytes of the name, then the
// id. An empty page is no error. Returns NotAuthenticated as ChatAssistant does.
func (s *Service) ChatAssistants(ctx context.Context, call domain.Call, after domain.Cursor, limit int) (paging.Page[domain.Project], error) {
	if err := call.Caller.MayChat(); err != nil {
		return paging.Page[domain.Project]{}, err
	}
	return s.projects(ctx, call.Caller.Sees().Within(domain.ScopeConverse), domain.ProjectFilter{}, after, limit)
}

// chatProjectID reads the Id of an assistant. A text that can't be an Id is treated as the Id of an
// assistant that does not exist.
func chatProjectID(c domain.Caller, text string) (domain.ProjectID, error) {
	ref, err := domain.ParseProjectRef(text)
	if err != nil || ref.ID == "" {
		return "", c.MayUse(domain.NoSuch("assistant"))
	}
	return ref.ID, nil
}

// chatProject returns the project of that id within in, which is a set of what c may use.
func (s *Service) chatProject(ctx context.Context, c domain.Caller, in domain.Visible, id domain.ProjectID) (domain.Project, error) {
	found, err := s.ports.Store.Projects.Find(ctx, in, domain.ProjectRef{ID: id})
	if err != nil {
		return domain.Project{}, err
	}
	p, err := domain.ExactlyOne(found)
	if err != nil {
		if lost := s.SameRights(ctx, c); lost != nil {
			return domain.Project{}, lost
		}
	}
	return p, c.MayUse(err)
}
