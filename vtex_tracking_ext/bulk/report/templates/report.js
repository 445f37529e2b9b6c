"use strict";
{
  // Commands can be copied with a button; without this script, one click on a command selects all of it.
  for (const code of document.querySelectorAll(".commands code")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy: ${code.textContent}`);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = "Copy"; }, 2000);
      } catch {  // the browser does not allow it
        getSelection().selectAllChildren(code);
      }
    });
    code.after(button);
  }

  // The list of packages can be searched and filtered.
  const filters = document.getElementById("filters");
  if (filters) {
    const fields = [...filters.querySelectorAll("input, select")];
    const [search, ...selects] = fields;
    const shown = document.getElementById("shown");
    const reset = document.getElementById("reset");
    const packages = [...document.querySelectorAll(".packages > li")];
    const texts = packages.map(item =>
      [...item.querySelectorAll("bdi")].map(part => part.textContent.toLowerCase()).join(" "));
    const written = number => number.toLocaleString("en");

    const apply = () => {
      const words = search.value.toLowerCase().split(/\s+/);
      const chosen = selects.filter(select => select.value);
      let number = 0;
      packages.forEach((item, index) => {
        const matches = words.every(word => texts[index].includes(word))
          && chosen.every(select => item.dataset[select.name].split(" ").includes(select.value));
        item.hidden = !matches;
        number += matches;
      });
      const isFiltered = Boolean(search.value || chosen.length);
      shown.textContent = !isFiltered ? `${written(number)} listed`
        : number ? `${written(number)} of ${written(packages.length)} listed packages match.`
        : "No listed package matches.";
      reset.hidden = !isFiltered;
    };

    search.addEventListener("input", apply);
    selects.forEach(select => select.addEventListener("change", apply));
    reset.addEventListener("click", () => {
      fields.forEach(field => { field.value = ""; });
      apply();
      search.focus();
    });
    for (const link of document.querySelectorAll("[data-state]")) {  // the numbers below the bar
      link.addEventListener("click", () => {
        fields.forEach(field => { field.value = field.name === "states" ? link.dataset.state : ""; });
        apply();
      });
    }
    filters.hidden = false;
    apply();
    addEventListener("pageshow", apply);  // the browser may have restored the fields
  }
}
