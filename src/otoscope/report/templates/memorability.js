(function () {
  "use strict";
  var FIRST = 20;
  var tip = document.getElementById("tip");
  var list = document.getElementById("cards");
  var cards = Array.prototype.slice.call(list.children);
  var find = document.getElementById("find");
  var order = document.getElementById("order");
  var count = document.getElementById("count");
  var all = document.getElementById("all");
  var whole = cards.length <= FIRST;
  var pinned = null;

  function arrange() {
    var key = order.value.replace("-", "");
    var way = order.value.charAt(0) === "-" ? 1 : -1;
    var wanted = find.value.trim().toLowerCase();
    cards.sort(function (a, b) {
      return key === "track"
        ? a.dataset.track.localeCompare(b.dataset.track)
        : way * (Number(a.dataset[key]) - Number(b.dataset[key]));
    });
    var there = 0;
    cards.forEach(function (card) {
      var hit = card.dataset.track.toLowerCase().indexOf(wanted) >= 0;
      there += hit ? 1 : 0;
      card.classList.toggle("miss", !hit);
      card.classList.toggle("over", hit && !whole && there > FIRST);
      list.appendChild(card);
    });
    count.textContent = wanted ? there + " of " + cards.length : "";
    all.parentNode.hidden = whole || there <= FIRST;
  }

  function show(mark, x, y, more) {
    tip.textContent = mark.getAttribute("data-tip") + (more || "");
    tip.hidden = false;
    var box = tip.getBoundingClientRect();
    var left = Math.min(Math.max(8, x - box.width / 2), document.documentElement.clientWidth - box.width - 8);
    var top = y - box.height - 14;
    tip.style.left = left + window.scrollX + "px";
    tip.style.top = (top < 8 ? y + 18 : top) + window.scrollY + "px";
  }

  function unpin() {
    if (pinned) {
      document.querySelectorAll(".pinned").forEach(function (each) { each.classList.remove("pinned"); });
    }
    pinned = null;
    tip.hidden = true;
  }

  function reveal(card) {
    card.classList.remove("over", "miss");
    card.open = true;
  }

  document.querySelectorAll("[data-tip]").forEach(function (mark) {
    var title = mark.querySelector("title");
    if (title && title.parentNode === mark) { mark.removeChild(title); }
    if (mark.classList.contains("spot")) { mark.setAttribute("aria-label", mark.getAttribute("data-tip")); }
    mark.addEventListener("mousemove", function (event) { if (!pinned) { show(mark, event.clientX, event.clientY); } });
    mark.addEventListener("mouseleave", function () { if (!pinned) { tip.hidden = true; } });
    mark.addEventListener("click", function (event) {
      var target = mark.getAttribute("href");
      var again = pinned === (target || mark);
      if (again && target) { unpin(); reveal(document.getElementById(target.slice(1))); return; }
      event.preventDefault();
      event.stopPropagation();
      unpin();
      if (again) { return; }
      pinned = target || mark;
      show(mark, event.clientX, event.clientY, target ? ". Click again for its card." : "");
      if (!target) { return; }
      document.querySelectorAll('.spot[href="' + target + '"]').forEach(function (each) { each.classList.add("pinned"); });
      var audio = document.querySelector(target + " audio");
      if (audio) {
        document.querySelectorAll("audio").forEach(function (each) { each.pause(); });
        audio.currentTime = 0;
        audio.play();
      }
    });
  });
  document.addEventListener("click", unpin);
  document.addEventListener("keydown", function (event) { if (event.key === "Escape") { unpin(); } });
  document.querySelectorAll(".tools").forEach(function (each) { each.hidden = false; });
  find.addEventListener("input", arrange);
  order.addEventListener("change", arrange);
  all.addEventListener("click", function () { whole = true; arrange(); });
  function follow() {
    var card = /^#clip-\d+$/.test(location.hash) && document.querySelector(location.hash);
    if (card) {
      reveal(card);
      card.scrollIntoView();
    }
  }
  window.addEventListener("hashchange", follow);
  document.querySelectorAll('a:not(.spot)[href^="#clip-"]').forEach(function (each) {
    each.addEventListener("click", function () { reveal(document.getElementById(each.getAttribute("href").slice(1))); });
  });
  arrange();
  follow();
})();
