package voiceflowtest_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/google/go-cmp/cmp"
)

// form is an upload of a file, and the type of its content.
func form(t *testing.T, name, content string) (body, contentType string) {
	t.Helper()
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	part, err := w.CreateFormFile("file", name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(part, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String(), w.FormDataContentType()
}

func TestTheKnowledgeBaseKnowsWhatItWasTold(t *testing.T) {
	a, b := voiceflowtest.NewAssistant("One", voiceflowtest.Shape2024), voiceflowtest.NewAssistant("Two", voiceflowtest.Shape2024)
	s := start(t, a, b)
	ask, other := asking(t, s, a.Key), asking(t, s, b.Key)
	docs := "/v1/knowledge-base/docs"
	type documents struct {
		Total int
		Data  []struct {
			DocumentID, Status string
			Tags               []string
			Data               struct {
				Type, Name, URL string
				RowsCount       int
			}
		}
	}

	body, contentType := form(t, "menu.pdf", "Margherita is nine")
	uploading := asking(t, s, a.Key, "Content-Type", contentType)
	menu := decode[documents](t, uploading.want(200, "POST", docs+"/upload?tags=food", body)).Data[0]
	if menu.Status != "SUCCESS" || menu.Data.Type != "pdf" || menu.Data.Name != "menu.pdf" || cmp.Diff([]string{"food"}, menu.Tags) != "" {
		t.Errorf("got %+v", menu)
	}
	page := decode[documents](t, ask.want(200, "POST", docs+"/upload/url", `{"data":{"type":"url","url":"https://example.com/faq","metadata":{"a":1}}}`)).Data[0]
	table := decode[struct{ Data struct{ DocumentID string } }](t, ask.want(200, "POST", docs+"/upload/table",
		`{"data":{"name":"prices","schema":{"searchableFields":["name"]},"items":[{"name":"Salad"},{"name":"Soup"}]}}`, `"rowsCount":2`)).Data

	list := decode[documents](t, ask.want(200, "GET", docs+"?page=1&limit=2", ""))
	if list.Total != 3 || len(list.Data) != 2 || list.Data[1].Data.URL != "https://example.com/faq" {
		t.Errorf("got %+v", list)
	}
	for path, want := range map[string]int{
		docs + "?page=2&limit=2": 1, docs + "?documentType=table": 1, docs + "?includeTags[]=food": 1, docs + "?excludeTags=food": 2,
		"/v3alpha/knowledge-base/docs": 3, "/v1alpha1/public/knowledge-base/document": 3,
	} {
		if got := decode[documents](t, ask.want(200, "GET", path, "")); len(got.Data) != want {
			t.Errorf("%s: got %d documents, want %d", path, len(got.Data), want)
		}
	}
	for _, limit := range []string{"0", "101", "x"} {
		ask.want(400, "GET", docs+"?limit="+limit, "")
	}
	if got := decode[documents](t, other.want(200, "GET", docs, "")); got.Total != 0 || got.Data == nil {
		t.Errorf("another project has %+v, want an empty array", got)
	}
	other.want(404, "GET", docs+"/"+menu.DocumentID, "")
	other.want(404, "DELETE", docs+"/"+menu.DocumentID, "")

	ask.want(200, "GET", docs+"/"+menu.DocumentID, "", `"chunks":[{"chunkID":"`+menu.DocumentID+`-0","content":"Margherita is nine"}]`)
	uploading.want(200, "PUT", docs+"/"+menu.DocumentID+"/upload", strings.Replace(body, "nine", "ten!", 1))
	ask.want(200, "GET", "/v3alpha/knowledge-base/docs/"+menu.DocumentID, "", "Margherita is ten!")
	ask.want(200, "PUT", docs+"/"+page.DocumentID+"/upload/url", `{"data":{"type":"url","url":"https://example.com/new"}}`, "https://example.com/new")
	ask.want(422, "POST", docs+"/upload/url", `{}`, `"error":{"code":422`)
	uploading.want(400, "POST", docs+"/upload", strings.Replace(body, `name="file"`, `name="other"`, 1))
	large, largeType := form(t, "large.txt", strings.Repeat("x", 10<<20+1))
	asking(t, s, a.Key, "Content-Type", largeType).want(400, "POST", docs+"/upload", large, "10MB")

	answered := decode[struct {
		Output      string
		Chunks      []struct{ DocumentID, Content string }
		TotalTokens int
	}](t, ask.want(200, "POST", "/knowledge-base/query", `{"question":"how much?","chunkLimit":1}`))
	if !strings.Contains(answered.Output, "how much?") || len(answered.Chunks) != 1 || answered.Chunks[0].DocumentID != menu.DocumentID || answered.TotalTokens == 0 {
		t.Errorf("got %+v", answered)
	}
	ask.want(200, "POST", "/knowledge-base/query", `{"question":"how much?","synthesis":false}`, `"output":null`)
	ask.want(401, "POST", "/knowledge-base/query", `{"question":"how much?","projectID":"`+b.ProjectID+`"}`)
	ask.want(400, "POST", "/knowledge-base/query", `{"question":"how much?","chunkLimit":31}`)

	tags := "/v3alpha/knowledge-base/tags"
	label := decode[struct{ Data struct{ TagID, Label string } }](t, ask.want(200, "POST", tags, `{"data":{"label":"drinks"}}`)).Data
	ask.want(200, "GET", tags, "", `{"data":{"label":"drinks","tagID":"`+label.TagID+`"}}`)
	ask.want(200, "PATCH", tags+"/"+label.TagID, `{"data":{"label":"food"}}`)
	ask.want(200, "GET", tags+"/"+label.TagID, "", `"label":"food"`)
	other.want(404, "GET", tags+"/"+label.TagID, "")
	tagged := "/v3alpha/knowledge-base/docs/" + table.DocumentID + "/tags"
	if got := ask.want(200, "POST", tagged+"/attach", `{"data":{"tags":["`+label.TagID+`"]}}`); got.text != "" {
		t.Errorf("attach has the body %q", got.text)
	}
	ask.want(200, "GET", docs+"/"+table.DocumentID, "", `"tags":["`+label.TagID+`"]`)
	ask.want(200, "POST", tagged+"/detach", `{"data":{"tags":["`+label.TagID+`"]}}`)
	ask.want(200, "GET", docs+"/"+table.DocumentID, "", `"tags":[]`)
	ask.want(200, "DELETE", tags+"/"+label.TagID, "")
	ask.want(404, "GET", tags+"/"+label.TagID, "")
	ask.want(200, "DELETE", docs+"/"+table.DocumentID, "")
	ask.want(404, "GET", docs+"/"+table.DocumentID, "")

	newer := "/v1alpha1/public/knowledge-base/document"
	added := decode[struct{ Data struct{ DocumentID string } }](t, ask.want(200, "POST", newer, `{"data":{"type":"url","url":"https://example.com/a"}}`)).Data.DocumentID
	ask.want(200, "POST", newer+"/upload/table", `{"data":{"name":"t","items":[{"a":1}]}}`, `"type":"table"`)
	uploading.want(200, "PUT", newer+"/"+added, body, "menu.pdf")
	ask.want(200, "PATCH", newer+"/"+added, `{"data":{"name":"renamed"}}`, `"name":"renamed"`)
	ask.want(200, "PATCH", newer+"/"+added+"/chunk/"+added+"-0", `{"data":{"content":"corrected"}}`)
	ask.want(404, "PATCH", newer+"/"+added+"/chunk/none", `{"data":{"content":"corrected"}}`)
	ask.want(200, "GET", newer+"/"+added, "", "corrected")
	ask.want(200, "DELETE", newer+"/"+added, "")

	in := "?projectID=" + a.ProjectID + "&environmentAlias=production"
	stable := "/v1/stable/document"
	added = decode[struct{ Document struct{ DocumentID string } }](t, ask.want(201, "POST", stable+"/url"+in, `{"url":"https://example.com/b"}`)).Document.DocumentID
	ask.want(201, "POST", stable+"/table"+in, `{"name":"t","items":[{"a":1}]}`)
	uploading.want(201, "POST", stable+"/text"+in, body)
	ask.want(200, "GET", stable+in, "", `"documents":[`)
	ask.want(200, "PATCH", stable+"/"+added+in, `{"name":"renamed"}`, `"message":`)
	ask.want(200, "GET", stable+"/"+added+in, "", `"document":{`, `"name":"renamed"`)
	ask.want(200, "DELETE", stable+"/"+added+in, "", `"message":`)
	ask.want(404, "GET", stable+"/"+added+in, "")
	ask.want(200, "POST", "/v1/stable/knowledge-base/query"+in, `{"question":"why?","version":"published"}`, `"answer":"One was asked: why?"`)
	ask.want(400, "POST", "/v1/stable/knowledge-base/query"+in, `{"question":"why?"}`)
}
