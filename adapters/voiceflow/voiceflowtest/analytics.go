package voiceflowtest

import (
	"encoding/json"
	"slices"
	"time"
)

// The names in queries: of usage, in its two versions, and of the metrics of /v1/stable.
var (
	usageNamesV1 = []string{"interactions", "sessions", "top_intents", "top_slots", "understood_messages", "unique_users", "token_usage"}
	usageNamesV2 = []string{
		"interactions", "top_intents", "unique_users", "credit_usage", "function_usage", "api_calls", "kb_documents", "integrations",
	}
	metrics = []string{
		"call-count", "call-duration", "transcript-count", "transcript-cost", "interaction-count", "token-usage", "hourly-token-usage",
		"daily-token-usage", "entity-token-usage", "category-token-usage", "playbook-usage", "workflow-usage", "prompt-usage",
		"intent-usage", "function-usage", "api-tool-usage", "mcp-tool-usage", "knowledge-base-document-usage", "integration-usage",
		"unique-user-count",
	}
)

// usageQuery is the body of a query for usage. Version 1 accepts one project or several.
type usageQuery struct {
	Name   string `json:"name"`
	Filter struct {
		ProjectID   json.RawMessage `json:"projectID"`
		Environment string          `json:"projectEnvironmentIDOrAlias"` // of version 2; a list is not read
		Limit       int             `json:"limit"`
	} `json:"filter"`
}

// projects returns the projects in the filter.
func (q usageQuery) projects() []string {
	var one string
	if json.Unmarshal(q.Filter.ProjectID, &one) == nil && one != "" {
		return []string{one}
	}
	var several []string
	_ = json.Unmarshal(q.Filter.ProjectID, &several) // any other value names none
	return several
}

// usageV1 serves POST /v1/query/usage.
func (c *call) usageV1() answer {
	var in struct {
		Query []usageQuery `json:"query"`
	}
	if c.read(&in) != nil || len(in.Query) == 0 {
		return c.invalid("query has at least one element")
	}
	results := []any{}
	for _, query := range in.Query {
		if refused := c.mayAsk(query, usageNamesV1); refused != nil {
			return *refused
		}
		switch query.Name {
		case "top_intents", "top_slots":
			results = append(results, map[string]any{"name": query.Name, "items": []any{}})
		default:
			results = append(results, map[string]any{"name": query.Name, "count": c.count(query.Name, "", "")})
		}
	}
	return ok(map[string]any{"result": results})
}

// usageV2 serves POST /v2/query/usage.
func (c *call) usageV2() answer {
	var in struct {
		Data usageQuery `json:"data"`
	}
	if c.read(&in) != nil || in.Data.Filter.Limit < 0 || in.Data.Filter.Limit > 500 {
		return c.invalid("limit is 1 to 500")
	}
	if refused := c.mayAsk(in.Data, usageNamesV2); refused != nil {
		return *refused
	}
	if in.Data.Name == "top_intents" {
		return ok(map[string]any{"result": map[string]any{"intents": []any{}}})
	}
	return ok(map[string]any{"result": map[string]any{"items": []any{map[string]any{
		"period": today(), "projectID": c.assistant.ProjectID, "type": in.Data.Name, "count": c.count(in.Data.Name, in.Data.Filter.Environment, ""),
	}}}})
}

// mayAsk refuses a query without a name, and a query for a project that the key does not open.
func (c *call) mayAsk(q usageQuery, names []string) *answer {
	projects := q.projects()
	if !slices.Contains(names, q.Name) || len(projects) == 0 {
		refused := c.invalid("name and projectID are required")
		return &refused
	}
	for _, project := range projects {
		if project != c.assistant.ProjectID {
			return &answer{refused: &usageDoor.wrong}
		}
	}
	return nil
}

// count returns how often the remembered conversations have what a metric names. An environment and
// a stage are filters, "" for none.
func (c *call) count(name, environment, stage string) int {
	n, users := 0, map[string]bool{}
	for _, t := range c.transcripts() {
		if environment != "" && environment != t.environment.Alias && environment != t.environment.ID || stage != "" && stage != t.stage {
			continue
		}
		switch name {
		case "interactions", "interaction-count", "credit_usage", "understood_messages":
			n += t.turns
		case "sessions", "transcript-count":
			n++
		case "unique_users", "unique-user-count":
			users[t.user] = true
			n = len(users)
		}
	}
	return n
}

func today() string { return iso(time.Now().UTC().Truncate(24 * time.Hour)) }

// metric serves POST /v1/stable/analytics/query/{metric}/project/{projectID}.
func (c *call) metric() answer {
	var in struct {
		EnvironmentAlias string `json:"environmentAlias"`
		Version          string `json:"version"`
	}
	name := c.r.PathValue("metric")
	if c.read(&in) != nil {
		return c.invalid("Bad Request")
	}
	if !slices.Contains(metrics, name) {
		return c.notFound("metric")
	}
	return ok(map[string]any{"rows": []any{map[string]any{"period": today(), "count": c.count(name, in.EnvironmentAlias, in.Version)}}})
}

// evaluation returns the only evaluation of a project.
func (c *call) evaluation() map[string]any {
	return map[string]any{
		"id": neighbour(c.assistant.ProjectID, 4), "projectID": c.assistant.ProjectID, "name": "Was it solved?", "type": "boolean", "enabled": true,
	}
}

// listEvaluations serves GET /v1/transcript-evaluation/project/{projectID} and GET
// /v1/stable/evaluation.
func (c *call) listEvaluations() answer {
	return ok(map[string]any{"evaluations": []any{c.evaluation()}})
}

// getEvaluation serves GET /v1/transcript-evaluation/{evaluationID} and GET
// /v1/stable/evaluation/{evaluationID}.
func (c *call) getEvaluation() answer {
	if e := c.evaluation(); e["id"] == c.r.PathValue("evaluationID") {
		return ok(map[string]any{"evaluation": e})
	}
	return c.notFound("evaluation")
}
