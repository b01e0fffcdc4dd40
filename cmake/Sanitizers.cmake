if(OCCAM_SANITIZE)
  add_compile_options(-fsanitize=${OCCAM_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${OCCAM_SANITIZE})
endif()
